import { start } from 'node:repl';
import { text } from 'node:stream/consumers';
import type { CommandContext, CommandDefinition } from '../command.ts';
import { loadProject, type Project, withDatabases } from '../project.ts';

interface Options extends Record<string, unknown> {
  readonly command?: string;
}

export const command: CommandDefinition<Options> = {
  name: 'shell',
  summary: 'A REPL with the models, open databases and top-level await',
  configure(command): void {
    command.option(
      '-c, --command <code>',
      'run this code instead, which may await; code on standard input is run too',
    );
  },
  async run(context, options): Promise<void> {
    const project = await loadProject(context);
    const names = await globalsOf(project);
    await withDatabases(project, () =>
      options.command !== undefined
        ? once(options.command, names)
        : process.stdin.isTTY === true
          ? interactive(context, project, names)
          : text(process.stdin).then((code) => once(code, names)),
    );
  },
};

/** The models by their names (by `app_Name` where two apps share one), what `sobaya/db` exports, and the application. */
async function globalsOf(project: Project): Promise<Record<string, unknown>> {
  const names: Record<string, unknown> = {
    ...(await import('../../db/index.ts')),
    application: project.application,
  };
  const seen = new Set<string>();
  for (const app of project.apps)
    for (const model of app.models as readonly { name: string }[]) {
      names[seen.has(model.name) ? `${app.label}_${model.name}` : model.name] = model;
      seen.add(model.name);
    }
  return names;
}

async function once(code: string, names: Readonly<Record<string, unknown>>): Promise<void> {
  const AsyncFunction = (async () => {}).constructor as new (
    ...args: string[]
  ) => (...values: unknown[]) => Promise<void>;
  await new AsyncFunction(...Object.keys(names), code)(...Object.values(names));
}

async function interactive(
  context: CommandContext,
  project: Project,
  names: Readonly<Record<string, unknown>>,
): Promise<void> {
  const models = project.apps.flatMap((app) =>
    (app.models as readonly { name: string }[]).map((model) => model.name),
  );
  context.print(`Models: ${models.join(', ')}. Await works. Ctrl-D ends.`);
  const repl = start({ prompt: '> ', useGlobal: false, breakEvalOnSigint: true });
  for (const [name, value] of Object.entries(names))
    Object.defineProperty(repl.context, name, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  await new Promise<void>((done) => repl.once('exit', done));
}
