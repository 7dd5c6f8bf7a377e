/** The state of the live models. */
import { createHash } from 'node:crypto';
import { metaOf } from '../model/meta.ts';
import { type ModelState, type PartState, ProjectState, samePlain } from './state.ts';

/** What is read off an app; `defineApp` gives it. */
export interface ModelApp {
  readonly label: string;
  readonly models: readonly unknown[];
}

/** Options that only the running program needs. */
const RUNTIME = new Set(['abstract', 'relations', 'app']);

export function liveState(apps: readonly ModelApp[]): ProjectState {
  const models: ModelState[] = [];
  for (const app of apps)
    for (const model of app.models) {
      const meta = metaOf(model);
      // A proxy is another class for a table that is there.
      if (meta.abstract || meta.model !== model || meta.concrete !== meta) continue;
      const { name, fields, options } = meta.deconstruct();
      models.push({
        app: app.label,
        name,
        fields: fields.filter(([, field]) => field.kind !== 'many'),
        options: tidy(app.label, name, options),
      });
    }
  return new ProjectState(models);
}

/** Leaves out what migrations do not keep, and gives every index and constraint a name. */
function tidy(app: string, model: string, options: ModelState['options']): ModelState['options'] {
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options)) {
    if (RUNTIME.has(key) || value === undefined) continue;
    if (Array.isArray(value) && value.length === 0) continue;
    if (key === 'managed' && value === true) continue;
    kept[key] =
      key === 'indexes' || key === 'constraints'
        ? (value as PartState[]).map((part) => withName(app, model, part))
        : value;
  }
  return kept;
}

function withName(app: string, model: string, part: PartState): PartState {
  const options = { ...part.options };
  for (const key of Object.keys(options))
    if (options[key] === undefined || samePlain(options[key], [])) delete options[key];
  if (typeof options['name'] === 'string' && options['name'] !== '') return { kind: part.kind, options };
  delete options['name'];
  const text = JSON.stringify([part.kind, options]);
  const fields = Array.isArray(options['fields'])
    ? options['fields'].map((field) => String(field).replace('-', ''))
    : [];
  const stem = [app, model.toLowerCase(), ...fields].join('_').slice(0, 44);
  const ending = { index: 'idx', unique: 'uniq', check: 'check' }[part.kind] ?? part.kind.slice(0, 5);
  const name = `${stem}_${createHash('sha256').update(text).digest('hex').slice(0, 8)}_${ending}`;
  return { kind: part.kind, options: { name, ...options } };
}
