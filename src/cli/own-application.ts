import type { SobayaApplication } from '../application/index.ts';
import { fault } from '../errors/index.ts';
import type { CommandContext } from './command.ts';

/** The application of the project, which must be one that createApp() made. */
export async function ownApplication(context: CommandContext, command: string): Promise<SobayaApplication> {
  const { isSobayaApplication } = await import('../application/index.ts');
  const { application, file, exportName } = await context.application();
  if (!isSobayaApplication(application))
    throw fault('SBY_CLI_FOREIGN_APPLICATION', { command, module: file, name: exportName });
  return application;
}
