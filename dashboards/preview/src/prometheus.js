// Asks Prometheus and makes data frames of the answers, as Grafana's data source does: one frame a series, or one table a query.
import { createDataFrame, FieldType } from '@grafana/data';

const STEPS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

export function stepFor(span, points) {
  return Math.max(15, STEPS.find((step) => step >= span / points) ?? 86400);
}

const escaped = (value) => value.replace(/[\\$^*{}[\]'+?.()|]/g, (found) => '\\\\' + (found === '\\' ? '\\\\\\' : found));

function chosen(variable, values) {
  if (!values) {
    return variable.allValue ?? '';
  }
  const safe = values.map(escaped);
  return safe.length === 1 ? safe[0] : `(${safe.join('|')})`;
}

export function interpolated(text, dashboard, page, step) {
  const known = {
    __rate_interval: `${Math.max(step + page.scrape, 4 * page.scrape)}s`,
    __range: `${page.span}s`,
  };
  for (const variable of dashboard.templating.list) {
    known[variable.name] = chosen(variable, page.chosen[variable.name]);
  }
  return text.replace(/\$\{?([a-z_]\w*)\}?/g, (whole, name) => known[name] ?? whole);
}

async function ask(path, parameters) {
  const answer = await fetch(`/prometheus/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) });
  const body = await answer.json();
  if (body.status !== 'success') {
    throw new Error(`${body.error}: ${parameters.query}`);
  }
  return body.data.result;
}

function legend(target, metric) {
  return target.legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? '');
}

export async function frames(panel, dashboard, page) {
  const step = stepFor(page.span, panel.maxDataPoints ?? 600);
  const several = panel.targets.length > 1;
  const answers = await Promise.all(
    panel.targets.map(async (target) => {
      const query = interpolated(target.expr, dashboard, page, step);
      const found = target.instant
        ? await ask('query', { query, time: page.end })
        : await ask('query_range', { query, start: page.end - page.span, end: page.end, step });
      return target.format === 'table' ? table(target, found, several) : found.map((one) => series(target, one, page, step));
    })
  );
  return answers.flat();
}

function table(target, found, several) {
  if (!found.length) {
    return [];
  }
  const labels = [...new Set(found.flatMap((one) => Object.keys(one.metric)))].sort();
  const fields = [
    { name: 'Time', type: FieldType.time, values: found.map((one) => one.value[0] * 1000) },
    ...labels.map((name) => ({ name, type: FieldType.string, values: found.map((one) => one.metric[name] ?? '') })),
    { name: several ? `Value #${target.refId}` : 'Value', type: FieldType.number, values: found.map((one) => Number(one.value[1])) },
  ];
  return [createDataFrame({ refId: target.refId, fields })];
}

function series(target, one, page, step) {
  const name = legend(target, one.metric).trim().replace(/\s+/g, ' ');
  let points = one.values ?? [one.value];
  if (one.values) {
    // A point for every step: where there is none, there is a gap.
    const values = new Map(one.values);
    points = [];
    for (let at = page.end - page.span; at <= page.end; at += step) {
      points.push([at, values.get(at) ?? null]);
    }
  }
  return createDataFrame({
    refId: target.refId,
    name,
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map((point) => point[0] * 1000) },
      {
        name: 'Value',
        type: FieldType.number,
        labels: one.metric,
        config: { displayNameFromDS: name },
        values: points.map((point) => (point[1] === null ? null : Number(point[1]))),
      },
    ],
  });
}
