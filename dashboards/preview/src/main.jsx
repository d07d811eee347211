// Draws one dashboard: /?uid=…&end=…&theme=…, with the time range and the variables in the address.
import { createTheme, dateTime, getValueFormats } from '@grafana/data';
import { GlobalStyles, PanelChrome, PortalContainer, ThemeContext } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

import { prepared } from './fields';
import { Bars, Lines, Rows, Stat, Timeline } from './panels';
import { frames } from './prometheus';

const KINDS = { stat: Stat, bargauge: Bars, timeseries: Lines, table: Rows, 'state-timeline': Timeline };
const CELL = 30;
const GAP = 8;
const WIDTH = 1600;
const UNITS = new Set(getValueFormats().flatMap((category) => category.submenu.map((format) => format.value)));

const parameters = new URLSearchParams(location.search);
const end = Number(parameters.get('end'));
const span = Number(parameters.get('span'));
const page = {
  end,
  span,
  scrape: Number(parameters.get('scrape')),
  from: dateTime((end - span) * 1000),
  to: dateTime(end * 1000),
  chosen: JSON.parse(parameters.get('chosen')),
};
// "5 minutes ago" counts from the end of the story.
const drift = Date.now() - end * 1000;
const now = Date.now;
Date.now = () => now() - drift;

const theme = createTheme({ colors: { mode: parameters.get('theme') } });
const state = (window.preview = { waiting: 1, empty: [], failed: [] });

function replaceVariables(text) {
  return text;
}

function place({ x, y, w, h }, shift) {
  const column = (WIDTH - 2 * GAP) / 24;
  return {
    position: 'absolute',
    left: GAP + x * column,
    top: (y - shift) * (CELL + GAP),
    width: w * column - GAP,
    height: h * (CELL + GAP) - GAP,
  };
}

function Panel({ panel, dashboard, box }) {
  const [data, setData] = useState();
  useEffect(() => {
    frames(panel, dashboard, page)
      .then((raw) => prepared(panel, raw, theme, replaceVariables))
      .then((found) => {
        setData(found);
        if (!found.some((frame) => frame.length)) {
          state.empty.push(panel.title);
        }
      })
      .catch((error) => {
        state.failed.push(`${panel.title}: ${error}`);
      })
      .finally(() => {
        state.waiting -= 1;
      });
  }, []);
  const Kind = KINDS[panel.type];
  const units = [panel.fieldConfig.defaults.unit, ...panel.fieldConfig.overrides.flatMap((one) => one.properties.filter((p) => p.id === 'unit').map((p) => p.value))];
  for (const unit of units) {
    if (!UNITS.has(unit)) {
      state.failed.push(`${panel.title}: no unit ${unit}`);
    }
  }
  return (
    <div style={box}>
      <PanelChrome title={panel.title} description={panel.description} width={box.width} height={box.height} padding={panel.type === 'stat' ? 'none' : 'sm'}>
        {(width, height) =>
          data === undefined ? null : data.some((frame) => frame.length) ? (
            <Kind panel={panel} data={data} width={width} height={height} page={page} />
          ) : (
            <div style={{ padding: 12 }}>{panel.fieldConfig.defaults.noValue}</div>
          )
        }
      </PanelChrome>
    </div>
  );
}

function Dashboard({ dashboard }) {
  const rows = dashboard.panels.filter((panel) => panel.type === 'row');
  const open = dashboard.panels.filter((panel) => panel.type !== 'row');
  const top = 74;
  const bottom = Math.max(...dashboard.panels.map((panel) => panel.gridPos.y + panel.gridPos.h));
  const shown = dashboard.templating.list.filter((variable) => variable.hide !== 2);
  const choice = (variable) => (variable.type === 'datasource' ? 'Prometheus' : (page.chosen[variable.name] ?? ['All']).join(' + '));
  return (
    <div style={{ width: WIDTH, background: theme.colors.background.canvas, color: theme.colors.text.primary, paddingBottom: 8 }}>
      <div style={{ padding: '10px 16px', fontSize: 18, fontWeight: 500 }}>
        {dashboard.title}
        <span style={{ float: 'right', fontSize: 13, color: theme.colors.text.secondary }}>
          {page.from.toISOString().slice(0, 16).replace('T', ' ')} – {page.to.toISOString().slice(0, 16).replace('T', ' ')} UTC
        </span>
      </div>
      <div style={{ padding: '0 16px', fontSize: 13 }}>
        {shown.map((variable) => (
          <span key={variable.name} style={{ marginRight: 18 }}>
            <span style={{ color: theme.colors.text.secondary }}>{variable.label}</span> {choice(variable)}
          </span>
        ))}
      </div>
      <div style={{ position: 'relative', height: bottom * (CELL + GAP), marginTop: top - 62 }}>
        {rows.map((row) => (
          <div key={row.id} style={{ ...place(row.gridPos, 0), lineHeight: `${CELL}px`, fontSize: 15, fontWeight: 500 }}>
            {row.collapsed ? '› ' : '⌄ '}
            {row.title}
            {row.collapsed && <span style={{ color: theme.colors.text.secondary }}> ({row.panels.length} panels)</span>}
          </div>
        ))}
        {open.map((panel) => (
          <Panel key={panel.id} panel={panel} dashboard={dashboard} box={place(panel.gridPos, 0)} />
        ))}
      </div>
    </div>
  );
}

const dashboard = await (await fetch(`/dashboards/${parameters.get('uid')}.json`)).json();
state.waiting += dashboard.panels.filter((panel) => panel.type !== 'row').length - 1;
createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <Dashboard dashboard={dashboard} />
    <PortalContainer />
  </ThemeContext.Provider>
);
