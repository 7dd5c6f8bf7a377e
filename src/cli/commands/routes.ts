import type { Command } from 'commander';
import type { CommandContext, CommandDefinition } from '../command.ts';
import { ownApplication } from '../own-application.ts';

interface Options {
  readonly json?: boolean;
}

export const command: CommandDefinition<Options> = {
  name: 'routes',
  summary: 'Lists the routes of the application, or says where a path leads',

  configure(command: Command): void {
    command
      .argument(
        '[path-or-text]',
        'a path ("/orders/3/") to resolve, or text that routes, names or views contain',
      )
      .option('--json', 'as JSON');
  },

  async run(context: CommandContext, options: Options, args: readonly string[]): Promise<number> {
    const { resolver } = await ownApplication(context, 'routes');
    const [word] = args;
    const all = resolver.leaves.map((leaf) => ({
      route: `/${leaf.route}`,
      kind: leaf.kind,
      name: leaf.name === null ? null : [...leaf.namespaces, leaf.name].join(':'),
      view: (leaf.view as { viewName?: string }).viewName ?? ((leaf.view as Function).name || '(anonymous)'),
      params: Object.fromEntries(leaf.params.map((param) => [param.name, param.kind])),
      index: leaf.index,
    }));
    if (word?.startsWith('/')) {
      const match = resolver.resolve(word) ?? resolver.resolveWebSocket(word);
      if (match === null) {
        context.warn(`No route matches ${word}`);
        return 1;
      }
      const row = all[match.leaf.index]!;
      if (options.json) context.print(JSON.stringify({ ...row, params: match.params }));
      else context.print(`${word} → ${row.route}  ${row.name ?? row.view}  ${JSON.stringify(match.params)}`);
      return 0;
    }
    const rows = all.filter(
      (row) => word === undefined || [row.route, row.name, row.view].some((text) => text?.includes(word)),
    );
    if (options.json) {
      context.print(
        JSON.stringify(
          rows.map(({ index: _, ...row }) => row),
          null,
          2,
        ),
      );
      return 0;
    }
    if (rows.length === 0) {
      context.warn(word === undefined ? 'The application has no routes' : `No route contains "${word}"`);
      return word === undefined ? 0 : 1;
    }
    const width = (pick: (row: (typeof rows)[number]) => string): number =>
      Math.max(...rows.map((row) => pick(row).length));
    const routeWidth = width((row) => row.route);
    const nameWidth = width((row) => row.name ?? '-');
    for (const row of rows)
      context.print(
        `${row.route.padEnd(routeWidth)}  ${(row.name ?? '-').padEnd(nameWidth)}  ${row.view}${row.kind === 'websocket' ? '  (websocket)' : ''}`.trimEnd(),
      );
    return 0;
  },
};
