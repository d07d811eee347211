// Field configuration and transformations, by Grafana's own functions.
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  getFieldDisplayName,
  Registry,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

const byId = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));
standardTransformersRegistry.setInit(() =>
  [...byId.values()].map((one) => ({ id: one.id, name: one.name, transformation: async () => one, editor: () => null }))
);

function set(config, path, value) {
  const parts = path.split('.');
  let place = config;
  for (const part of parts.slice(0, -1)) {
    place[part] = { ...place[part] };
    place = place[part];
  }
  place[parts.at(-1)] = value;
}

// JSON has no -Infinity: a threshold's null stands for it.
function thresholds(value) {
  return { ...value, steps: value.steps.map((step) => ({ ...step, value: step.value ?? -Infinity })) };
}

function fits(matcher, field, frame, all) {
  if (matcher.id === 'byName') {
    return matcher.options === field.name || matcher.options === getFieldDisplayName(field, frame, all);
  }
  return matcher.id === 'byFrameRefID' && matcher.options === frame.refId;
}

export async function prepared(panel, raw, theme, replaceVariables) {
  const merged = await lastValueFrom(transformDataFrame(panel.transformations ?? [], raw));
  // Plain frames: the merging transformer returns an object whose length is lost when it is copied.
  const transformed = merged.map(({ refId, name, fields }) => ({
    refId,
    name,
    fields: fields.map((field) => ({ ...field, values: [...field.values] })),
    length: fields[0]?.values.length ?? 0,
  }));
  let index = 0;
  for (const frame of transformed) {
    for (const field of frame.fields) {
      const config = structuredClone({ ...panel.fieldConfig.defaults, displayNameFromDS: field.config.displayNameFromDS });
      for (const override of panel.fieldConfig.overrides) {
        if (fits(override.matcher, field, frame, transformed)) {
          for (const property of override.properties) {
            set(config, property.id, structuredClone(property.value));
          }
        }
      }
      if (config.custom?.cellOptions?.wrapText) {
        config.custom = { ...config.custom, wrapText: true }; // where newer releases keep it: they move it themselves
      }
      config.thresholds = thresholds(config.thresholds);
      field.config = config;
      // No display name is kept from before its configuration was known.
      field.state = { seriesIndex: field.type === 'time' ? undefined : index++ };
    }
  }
  const shown = applyFieldOverrides({
    data: transformed,
    fieldConfig: { defaults: {}, overrides: [] },
    fieldConfigRegistry: new Registry(() => []),
    replaceVariables,
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(shown);
  return shown;
}
