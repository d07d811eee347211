// One component a kind of panel. All but the state timeline, which @grafana/ui does not have, are Grafana's own.
import { FieldType, formattedValueToString, getFieldDisplayName, getFieldDisplayValues, VizOrientation } from '@grafana/data';
import {
  BarGauge,
  BigValue,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  TimeSeries,
  useTheme2,
  VizRepeater,
} from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

function values(panel, data, theme, page) {
  const found = getFieldDisplayValues({
    fieldConfig: { defaults: panel.fieldConfig.defaults, overrides: [] },
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data,
    timeZone: 'utc',
  });
  return found;
}

export function Stat({ panel, data, width, height, page }) {
  const theme = useTheme2();
  const found = values(panel, data, theme, page);
  const text = found.length > 1 && panel.options.textMode === 'auto' ? 'value_and_name' : panel.options.textMode;
  return (
    <VizRepeater
      getValues={() => found}
      source={data}
      width={width}
      height={height}
      orientation={panel.options.orientation === 'auto' ? VizOrientation.Auto : panel.options.orientation}
      renderValue={({ value, width: w, height: h, count }) => (
        <BigValue
          value={value.display}
          width={w}
          height={h}
          count={count}
          theme={theme}
          colorMode={BigValueColorMode.BackgroundSolid}
          graphMode={BigValueGraphMode.None}
          justifyMode={BigValueJustifyMode.Center}
          disableWideLayout={!panel.options.wideLayout}
          textMode={text === 'auto' ? BigValueTextMode.Value : text}
        />
      )}
    />
  );
}

export function Bars({ panel, data, width, height, page }) {
  const theme = useTheme2();
  const found = values(panel, data, theme, page);
  const most = Math.max(...found.map((one) => one.display.numeric), 1);
  return (
    <VizRepeater
      getValues={() => found}
      source={data}
      width={width}
      height={height}
      itemSpacing={6}
      orientation={VizOrientation.Horizontal}
      minVizHeight={16}
      maxVizHeight={panel.options.maxVizHeight}
      renderValue={({ value, width: w, height: h, alignmentFactors }) => (
        <BarGauge
          value={value.display}
          field={{ ...value.field, min: 0, max: value.field.max ?? most }}
          display={value.view?.getFieldDisplayProcessor?.(value.colIndex)}
          width={w}
          height={h}
          theme={theme}
          orientation={VizOrientation.Horizontal}
          displayMode={panel.options.displayMode}
          valueDisplayMode={panel.options.valueMode}
          namePlacement={panel.options.namePlacement}
          alignmentFactors={alignmentFactors}
          showUnfilled={panel.options.showUnfilled}
          itemSpacing={6}
          lcdCellWidth={12}
        />
      )}
      getAlignmentFactors={(all) => ({
        title: all.reduce((longest, one) => (one.display.title?.length > longest.length ? one.display.title : longest), ''),
        text: all.reduce((longest, one) => (one.display.text.length > longest.length ? one.display.text : longest), ''),
      })}
    />
  );
}

export function Lines({ panel, data, width, height, page }) {
  const frames = data.filter((frame) => frame.fields.some((field) => field.type === FieldType.number));
  const range = { from: page.from, to: page.to, raw: { from: page.from, to: page.to } };
  return (
    <TimeSeries
      frames={frames}
      structureRev={1}
      timeRange={range}
      timeZone="utc"
      width={width}
      height={height}
      legend={panel.options.legend}
      options={panel.options}
    />
  );
}

export function Rows({ panel, data, width, height }) {
  const sortBy = panel.options.sortBy;
  return (
    <TableNG
      data={data[0]}
      width={width}
      height={height}
      noValue={panel.fieldConfig.defaults.noValue}
      cellHeight={panel.options.cellHeight}
      sortBy={sortBy}
      initialSortBy={sortBy}
      fieldConfig={panel.fieldConfig}
      enableVirtualization={false}
      getActions={() => []}
    />
  );
}

export function Timeline({ data, width, height, page }) {
  const theme = useTheme2();
  const rows = data.flatMap((frame) =>
    frame.fields
      .filter((field) => field.type === FieldType.number)
      .map((field) => ({ name: getFieldDisplayName(field, frame, data), field, time: frame.fields[0].values }))
  );
  const names = Math.min(width / 3, 8 + 6.6 * Math.max(...rows.map((row) => row.name.length), 4));
  const axis = 22;
  const line = Math.min(34, (height - axis) / Math.max(rows.length, 1));
  const start = page.from.valueOf();
  const at = (ms) => names + ((ms - start) / (page.span * 1000)) * (width - names);
  const ticks = Array.from({ length: 7 }, (_, index) => start + (index * page.span * 1000) / 6);
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily} fontSize={12}>
      {rows.map((row, index) => {
        const spans = [];
        row.field.values.forEach((value, point) => {
          const last = spans.at(-1);
          if (value === null) {
            spans.push(null);
          } else if (last && last.value === value) {
            last.to = row.time[point];
          } else {
            if (last) {
              last.to = row.time[point];
            }
            spans.push({ value, from: row.time[point], to: row.time[point] });
          }
        });
        const y = index * line;
        return (
          <g key={row.name}>
            <text x={names - 8} y={y + line / 2 + 4} textAnchor="end" fill={theme.colors.text.primary}>
              {row.name}
            </text>
            {spans.filter(Boolean).map((span) => {
              const shown = row.field.display(span.value);
              const x = at(span.from);
              const w = Math.max(1.5, at(span.to) - x);
              const text = formattedValueToString(shown);
              return (
                <g key={span.from}>
                  <rect x={x} y={y + line * 0.08} width={w} height={line * 0.85} fill={shown.color} fillOpacity={0.85} />
                  {w > text.length * 7 && line > 13 && (
                    <text x={x + 5} y={y + line / 2 + 4} fill={theme.colors.getContrastText(shown.color)}>
                      {text}
                    </text>
                  )}
                </g>
              );
            })}
          </g>
        );
      })}
      {ticks.map((tick, index) => (
        <text
          key={tick}
          x={at(tick)}
          y={rows.length * line + 15}
          textAnchor={index === 0 ? 'start' : index === 6 ? 'end' : 'middle'}
          fill={theme.colors.text.secondary}
        >
          {new Date(tick).toISOString().slice(11, 16)}
        </text>
      ))}
    </svg>
  );
}
