import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fault } from '../../errors/index.ts';
import type { CommandContext, CommandDefinition } from '../command.ts';

export const command: CommandDefinition = {
  name: 'startapp',
  summary: 'Makes a new app in this project: a model, views, urls',

  configure(command: Command): void {
    command
      .argument('<label>', 'names the app, its tables and migrations: lower-case letters, digits and "_"')
      .argument('[folder]', 'where (default: the label)');
  },

  async run(context: CommandContext, _options: unknown, args: readonly string[]): Promise<void> {
    const [label = '', folder = label] = args;
    if (!/^[a-z][a-z0-9_]*$/.test(label)) throw fault('SBY_CLI_BAD_NAME', { what: 'app', got: label });
    const { appFiles, camel } = await import('../project-files.ts');
    const { writeFiles } = await import('../write-files.ts');
    const files = appFiles(label);
    writeFiles(resolve(context.cwd, folder), files);
    const name = camel(label);
    context.print(`Made the app ${label}: ${Object.keys(files)
      .map((file) => `${folder}/${file}`)
      .join(', ')}

Add it to app.ts:

  import { include } from 'sobaya';
  import { ${name} } ${'from'} './${folder}/app.ts';

  urls: [include('${label}/', ${name}.urls, { namespace: '${label}' }), …]
  createApp({ apps: [${name}], … })

then: npx sobaya makemigrations && npx sobaya migrate`);
  },
};
