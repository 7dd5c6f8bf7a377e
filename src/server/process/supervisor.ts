import { fork } from 'node:child_process';
import * as net from 'node:net';
import { accepting, listen } from '../listening/listen.ts';
import { type ServerLog, TextLog } from '../log.ts';
import { resolveOptions, type ServeOptions } from '../options.ts';
import { type Child, isServing } from './child.ts';
import { Dealer } from './dealer.ts';
import { FleetMetrics } from './fleet-metrics.ts';
import { isMessage, type SupervisorMessage, type WorkerMessage } from './messages.ts';
import { keepWatchdogQuiet, notifyReloading, notifySystemd } from './systemd.ts';

export interface SupervisorOptions {
  /** How many workers serve. */
  readonly workers: number;
  /** The module that a worker runs, with its arguments. */
  readonly exec: string;
  readonly args: readonly string[];
  readonly log?: ServerLog;
  /** Where to listen: host, port, uds, fd and backlog of these. */
  readonly serve: ServeOptions;
  /** A worker that was told to stop and has not ended after this many ms is killed. */
  readonly timeoutStop: number;
  /** A worker that has not taken a connection for so many ms, stuck or stopped, is killed; 0 never. Default 0. */
  readonly timeoutStuck?: number;
  /** After the signal to stop, health checks fail for so many ms while everything is served as before. Default 0. */
  readonly drainDelay?: number;
  /** Development: restart on changes, and outlive a worker that does not start. */
  readonly reload?: ReloadOptions | null;
}

export interface ReloadOptions {
  readonly directories: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** A worker that ends sooner than this after its start is started again later and later. */
const HEALTHY_AFTER = 2000;
/** A worker that asked to be replaced, and could not be, is tried to be replaced again after this time. */
const RECYCLE_AGAIN = 10_000;

/**
 * Keeps workers running on one shared port: the supervisor accepts connections and deals them out in turn, so a
 * port answers as long as one worker lives and none loses what was not given to it. It replaces workers that die,
 * ask for it, or are told to make room for a new copy.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #log: ServerLog;
  readonly #children = new Set<Child>();
  readonly #listener: net.Server;
  readonly #dealer = new Dealer(this.#children);
  readonly #metrics = new FleetMetrics(this.#children);
  #url = '';
  #wanted: number;
  #stopping = false;
  #exitCode = 0;
  #failures = 0;
  #rolling: Promise<void> | null = null;
  #rollAgain = false;
  #finish: (code: number) => void = () => {};
  #announced = false;
  /** All workers of the start have come to serve. */
  #complete = false;
  #leaving: NodeJS.Timeout | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log ?? new TextLog();
    this.#wanted = options.workers;
    this.#listener = net.createServer(accepting, (socket) => this.#dealer.deal(socket));
  }

  /** Runs until it is told to stop; gives the exit code. */
  async run(): Promise<number> {
    const { url } = await listen(
      this.#listener,
      resolveOptions(this.#options.serve),
      this.#log,
      this.#options.serve.certfile === undefined ? 'http' : 'https',
    );
    this.#url = url;
    const finished = new Promise<number>((resolve) => {
      this.#finish = resolve;
    });
    const signals: [NodeJS.Signals, () => void][] = [
      ['SIGINT', () => this.stop()],
      ['SIGTERM', () => this.stop()],
      ['SIGHUP', () => this.restart()],
      ['SIGTTIN', () => this.resize(this.#wanted + 1)],
      ['SIGTTOU', () => this.resize(this.#wanted - 1)],
      ['SIGUSR2', () => this.#tellAll({ sobaya: 'dump' })],
    ];
    for (const [signal, act] of signals) process.on(signal, act);
    const quietWatchdog = keepWatchdogQuiet();
    const stuckTimer = this.#watchForStuck();
    const watcher = this.#options.reload ? await this.#watch(this.#options.reload) : null;
    // The first alone: what keeps it from starting would keep the others too, and is to be said once.
    const first = await this.#start();
    if (first) {
      const others = Array.from({ length: this.#wanted - this.#children.size }, () => this.#start());
      void Promise.all(others).then((ready) => {
        this.#complete = ready.every(Boolean);
      });
    }
    const code = await finished;
    await watcher?.close();
    quietWatchdog();
    clearInterval(stuckTimer);
    this.#listener.close();
    this.#dealer.close();
    for (const [signal, act] of signals) process.off(signal, act);
    return code;
  }

  /**
   * Stops gracefully; told a second time, at once. With a drain delay, health checks fail first and everything is
   * served as before; told again, that is cut short.
   */
  stop(): void {
    if (this.#stopping) {
      for (const child of this.#children) child.worker.kill('SIGKILL');
      return;
    }
    const { drainDelay = 0 } = this.#options;
    if (drainDelay > 0 && this.#announced && this.#leaving === null) {
      this.#log.info(`Stopping in ${drainDelay / 1000} s; health checks fail from now on`);
      this.#leaving = setTimeout(() => this.#stopNow(), drainDelay);
      this.#tellAll({ sobaya: 'leave' });
      return;
    }
    this.#stopNow();
  }

  #stopNow(): void {
    if (this.#leaving !== null) clearTimeout(this.#leaving);
    if (this.#stopping) return;
    this.#stopping = true;
    notifySystemd('STOPPING=1');
    if (this.#children.size === 0) this.#finish(this.#exitCode);
    for (const child of this.#children) this.#stopChild(child, 'stopped', false);
  }

  /** Kills workers that take no connections: blocked beyond what they notice themselves, or stopped by a signal. */
  #watchForStuck(): NodeJS.Timeout | undefined {
    const { timeoutStuck = 0, reload } = this.#options;
    // In development it may be a breakpoint.
    if (timeoutStuck === 0 || reload) return undefined;
    // Later than the worker itself, which knows what blocks it and writes it to the log.
    const limit = timeoutStuck + 2000;
    return setInterval(() => {
      for (const child of this.#children) {
        const waits = this.#dealer.waits(child);
        if (waits < limit || child.stopping !== null) continue;
        this.#log.error(
          `worker ${child.worker.pid}: has not taken a connection for ${Math.round(waits / 1000)} s and is killed`,
        );
        child.worker.kill('SIGKILL');
      }
    }, 1000);
  }

  /** One worker after the other is replaced: the old one stops when the new one serves. */
  restart(): void {
    if (this.#stopping) return;
    if (this.#rolling !== null) {
      this.#rollAgain = true;
      return;
    }
    notifyReloading();
    this.#rolling = this.#roll().finally(() => {
      this.#rolling = null;
      if (!this.#stopping) notifySystemd('READY=1');
      if (this.#rollAgain) {
        this.#rollAgain = false;
        this.restart();
      }
    });
  }

  async #roll(): Promise<void> {
    this.#log.info('Restarting the workers one by one');
    for (const child of [...this.#children]) {
      if (this.#stopping) return;
      if (child.stopping !== null || !this.#children.has(child)) continue;
      if (!(await this.#start())) {
        if (this.#stopping) return;
        this.#log.error('the new worker did not start: the old ones stay');
        return;
      }
      this.#stopChild(child, 'restarted');
      await this.#ended(child);
    }
    this.#log.info('All workers are new');
  }

  resize(workers: number): void {
    if (this.#stopping) return;
    this.#wanted = Math.max(1, workers);
    const serving = [...this.#children].filter((child) => child.stopping === null);
    this.#log.info(`${this.#wanted} workers`);
    for (let index = serving.length; index < this.#wanted; index++) void this.#start();
    for (const child of serving.slice(this.#wanted)) this.#stopChild(child, 'resized');
  }

  #tellAll(message: SupervisorMessage): void {
    for (const { worker } of this.#children) if (worker.connected) worker.send(message, () => {});
  }

  /** Starts a worker; resolves to whether it came to serve. */
  #start(): Promise<boolean> {
    const worker = fork(this.#options.exec, [...this.#options.args], {
      env: { ...process.env, SOBAYA_WORKER: '1' },
    });
    const child: Child = {
      worker,
      startedAt: Date.now(),
      ready: false,
      stopping: null,
      killer: null,
      onTheWay: new Map(),
      counters: null,
    };
    this.#children.add(child);
    return new Promise((resolve) => {
      worker.on('message', (message: unknown) => {
        if (!isMessage<WorkerMessage>(message)) return;
        if (message.sobaya === 'ready') {
          child.ready = true;
          this.#failures = 0;
          this.#announce();
          if (this.#leaving !== null) worker.send({ sobaya: 'leave' } satisfies SupervisorMessage);
          this.#dealer.serving();
          resolve(true);
        } else if (message.sobaya === 'accepted') this.#dealer.accepted(child, message.id);
        else if (message.sobaya === 'scrape') void this.#metrics.answer(child, message.id);
        else if (message.sobaya === 'report') this.#metrics.report(child, message.id, message.snapshot);
        else this.#recycle(child, message.why);
      });
      worker.on('error', (error) => this.#log.error(`worker ${worker.pid}: ${error.message}`));
      worker.on('exit', (code, signal) => {
        resolve(false);
        this.#exited(child, code, signal);
      });
    });
  }

  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    const plural = this.#wanted === 1 ? '1 worker' : `${this.#wanted} workers`;
    this.#log.info(`Serving on ${this.#url} with ${plural} (stop with ctrl-c)`);
    notifySystemd('READY=1');
  }

  #recycle(child: Child, why: string): void {
    if (child.stopping !== null || this.#stopping || !this.#children.has(child)) return;
    this.#log.info(`Worker ${child.worker.pid} is replaced: ${why}`);
    void this.#start().then((ready) => {
      if (ready) this.#stopChild(child, 'recycled');
      else setTimeout(() => this.#recycle(child, why), RECYCLE_AGAIN).unref();
    });
  }

  #stopChild(child: Child, why: string, drain = true): void {
    if (child.stopping !== null) return;
    child.stopping = why;
    // One that does not serve yet hears no message, and has nothing to finish.
    if (!child.ready) child.worker.kill('SIGTERM');
    else if (child.worker.connected)
      child.worker.send({ sobaya: 'stop', drain } satisfies SupervisorMessage, () => {});
    else child.worker.kill('SIGTERM');
    child.killer = setTimeout(() => {
      this.#log.warn(`Worker ${child.worker.pid} did not stop in time and is killed`);
      child.worker.kill('SIGKILL');
    }, this.#options.timeoutStop);
  }

  #ended(child: Child): Promise<void> {
    if (child.worker.exitCode !== null || child.worker.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => child.worker.once('exit', () => resolve()));
  }

  #exited(child: Child, code: number | null, signal: string | null): void {
    const { worker } = child;
    this.#children.delete(child);
    this.#dealer.ended(child);
    this.#metrics.ended(child, child.stopping ?? signal ?? `exit ${code}`);
    if (child.killer !== null) clearTimeout(child.killer);
    if (this.#stopping) {
      if (child.ready && code !== null && this.#exitCode === 0) this.#exitCode = code;
      if (this.#children.size === 0) this.#finish(this.#exitCode);
      return;
    }
    if (child.stopping !== null) return;
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    if (!child.ready && this.#options.reload) {
      this.#log.info('Waiting for a change');
      return;
    }
    const served = [...this.#children].some(isServing);
    if (!child.ready && (!this.#complete || (!served && code !== null))) {
      // It could not start, and nothing is served: the next one could not either, and whoever started this process
      // is to know. Its own message has been printed. Later, while others serve, it is tried again.
      if (served) this.#log.error(`Worker ${worker.pid} did not start (${how}): stopping all`);
      this.#exitCode = code === null || code === 0 ? 1 : code;
      this.#stopNow();
      return;
    }
    if (!child.ready && this.#rolling !== null) return;
    this.#log.error(`Worker ${worker.pid} ended with ${how}`);
    const soon = Date.now() - child.startedAt < HEALTHY_AFTER;
    this.#failures = soon ? this.#failures + 1 : 0;
    const delay = soon ? Math.min(10_000, 100 * 2 ** this.#failures) : 0;
    setTimeout(() => {
      const serving = [...this.#children].filter((other) => other.stopping === null).length;
      if (!this.#stopping && serving < this.#wanted) void this.#start();
    }, delay);
  }

  async #watch(reload: ReloadOptions): Promise<{ close(): Promise<void> }> {
    const { watchSources } = await import('./watch.ts');
    return watchSources(reload, (path) => {
      if (this.#stopping) return;
      this.#log.info(`${path} changed, reloading`);
      for (const child of this.#children) this.#stopChild(child, 'reloaded', false);
      void this.#start();
    });
  }
}
