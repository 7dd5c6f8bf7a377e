import { isSobayaError } from '../errors/index.ts';
import { loadApplication } from './application-loader.ts';
import type { CommandDefinition } from './command.ts';

/**
 * The command `name` that an app of the project defines (`defineApp({ commands })`), to be run with the databases
 * of the application open and ambient; null when there is none, or no application.
 */
export async function ownCommand(
  name: string,
  argv: readonly string[],
  cwd: string,
): Promise<CommandDefinition | null> {
  const at = argv.findIndex((word) => word === '--app' || word.startsWith('--app='));
  const spec = at === -1 ? null : (argv[at]!.split('=', 2)[1] ?? argv[at + 1] ?? null);
  const { isSobayaApplication } = await import('../application/index.ts');
  let application: Awaited<ReturnType<typeof loadApplication>>['application'];
  try {
    ({ application } = await loadApplication({ cwd, spec }));
  } catch (error) {
    // Without an application there are no commands of its own; one that is broken says so itself.
    if (isSobayaError(error) && error.code === 'SBY_CLI_NO_APPLICATION') return null;
    throw error;
  }
  if (!isSobayaApplication(application)) return null;
  const app = application;
  for (const { commands } of app.apps) {
    const found = commands.find((command) => command.name === name) as CommandDefinition | undefined;
    if (found === undefined) continue;
    return {
      name: found.name,
      summary: found.summary,
      ...(found.configure === undefined ? {} : { configure: (command) => found.configure?.(command) }),
      run: (context, options, args) => app.run(() => found.run(context, options, args)),
    };
  }
  return null;
}
