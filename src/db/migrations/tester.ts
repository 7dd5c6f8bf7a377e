/** For tests of migrations: a database led to any point of its history, with rows in it. */
import { ambient, type Databases } from '../databases.ts';
import { type MigrateOptions, MigrationExecutor } from './executor.ts';
import { HistoricalApps } from './history.ts';
import { type MigrationApp, MigrationLoader } from './loader.ts';

/**
 * Leads a database through its history: `to('shop.0001')`, make rows with the models as they were, `to('shop.0002')`,
 * look at them.
 *
 * ```ts
 * const history = await MigrationTester.of(application.apps, databases);
 * await history.to('shop.0001');
 * await history.run(async (apps) => apps.model('shop.Author', { name: text() }).create({ name: 'Issa' }));
 * await history.to('shop.0002');
 * await history.thereAndBack('shop.0003');
 * ```
 */
export class MigrationTester {
  readonly #databases: Databases;
  readonly #executor: MigrationExecutor;

  constructor(databases: Databases, loader: MigrationLoader, alias = 'default') {
    this.#databases = databases;
    this.#executor = new MigrationExecutor(databases, loader, alias);
  }

  /** Loads the migrations of these apps. */
  static async of(
    apps: readonly MigrationApp[],
    databases: Databases,
    alias = 'default',
  ): Promise<MigrationTester> {
    return new MigrationTester(databases, await MigrationLoader.load(apps), alias);
  }

  /** `app.name` (or its beginning), `app.zero`, or `app` for its newest; without a target, everything. */
  async to(target?: string, options: Omit<MigrateOptions, 'target'> = {}): Promise<void> {
    const [app, name] = target?.split('.') ?? [];
    await this.#executor.migrate({ ...options, target: { app, name } });
  }

  /** Runs `work` with the models as they are at this point of the history. */
  async run<T>(work: (apps: HistoricalApps) => T | Promise<T>): Promise<T> {
    const { backend, loader, recorder } = this.#executor;
    const applied = await recorder.applied();
    const graph = loader.graph(applied);
    const state = graph.state(graph.inOrder().filter((key) => applied.get(key)?.step === null));
    return ambient.run({ databases: this.#databases, transactions: new Map() }, async () =>
      work(new HistoricalApps(state, backend.alias, backend)),
    );
  }

  /** To the target, back to where it was, and to the target again: a migration that can be taken back survives it. */
  async thereAndBack(target: string): Promise<void> {
    const before = [...(await this.#executor.recorder.applied()).values()].filter((one) => one.step === null);
    await this.to(target);
    const [app = ''] = target.split('.');
    const last = before.filter((one) => one.app === app).at(-1);
    await this.to(`${app}.${last?.name ?? 'zero'}`);
    await this.to(target);
  }
}
