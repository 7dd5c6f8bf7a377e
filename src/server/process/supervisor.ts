import { type ChildProcess, fork } from 'node:child_process';
import * as net from 'node:net';
import { listen } from '../listening/listen.ts';
import { type ServerLog, TextLog } from '../log.ts';
import { resolveOptions, type ServeOptions } from '../options.ts';
import { isMessage, type SupervisorMessage, type WorkerMessage } from './messages.ts';
import { notifySystemd } from './systemd.ts';

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
  /** Development: restart on changes, and outlive a worker that does not start. */
  readonly reload?: ReloadOptions | null;
}

export interface ReloadOptions {
  readonly directories: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

interface Child {
  readonly worker: ChildProcess;
  readonly startedAt: number;
  ready: boolean;
  stopping: boolean;
  killer: NodeJS.Timeout | null;
  /** Connections on their way to it; if it dies before it has them, another worker gets them. */
  readonly onTheWay: Map<number, net.Socket>;
}

/** A worker that ends sooner than this after its start is started again later and later. */
const HEALTHY_AFTER = 2000;

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
  /** Connections that came while no worker was ready. */
  #waiting: net.Socket[] = [];
  #turn = 0;
  #url = '';
  #wanted: number;
  #stopping = false;
  #exitCode = 0;
  #failures = 0;
  #rolling: Promise<void> | null = null;
  #rollAgain = false;
  #dealt = 0;
  #finish: (code: number) => void = () => {};
  #announced = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#log = options.log ?? new TextLog();
    this.#wanted = options.workers;
    this.#listener = net.createServer(
      { allowHalfOpen: true, noDelay: true, pauseOnConnect: true },
      (socket) => this.#deal(socket),
    );
  }

  /** Gives a connection to the next ready worker in turn. */
  #deal(socket: net.Socket): void {
    const ready: Child[] = [];
    for (const child of this.#children)
      if (child.ready && !child.stopping && child.worker.connected) ready.push(child);
    const child = ready[this.#turn++ % ready.length];
    if (child === undefined) {
      this.#waiting.push(socket);
      return;
    }
    // Not to be counted by the listener any more: the worker has it.
    (socket as { server?: unknown }).server = null;
    const id = ++this.#dealt;
    child.onTheWay.set(id, socket);
    // Our copy is kept until the worker says that it has its own: what is sent to a process that dies would be lost,
    // and its client would wait for ever. An error here means just that; then 'exit' follows and deals it again.
    child.worker.send(
      { sobaya: 'connection', id } satisfies SupervisorMessage,
      socket,
      { keepOpen: true },
      () => {},
    );
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
    const watcher = this.#options.reload ? await this.#watch(this.#options.reload) : null;
    // The first alone: what keeps it from starting would keep the others too, and is to be said once.
    const first = await this.#start();
    if (first) for (let index = this.#children.size; index < this.#wanted; index++) void this.#start();
    const code = await finished;
    await watcher?.close();
    this.#listener.close();
    for (const socket of this.#waiting) socket.destroy();
    for (const [signal, act] of signals) process.off(signal, act);
    return code;
  }

  /** Stops gracefully; told a second time, at once. */
  stop(): void {
    if (this.#stopping) {
      for (const child of this.#children) child.worker.kill('SIGKILL');
      return;
    }
    this.#stopping = true;
    notifySystemd('STOPPING=1');
    if (this.#children.size === 0) this.#finish(this.#exitCode);
    for (const child of this.#children) this.#stopChild(child, false);
  }

  /** One worker after the other is replaced: the old one stops when the new one serves. */
  restart(): void {
    if (this.#stopping) return;
    if (this.#rolling !== null) {
      this.#rollAgain = true;
      return;
    }
    this.#rolling = this.#roll().finally(() => {
      this.#rolling = null;
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
      if (child.stopping) continue;
      if (!(await this.#start())) {
        this.#log.error('the new worker did not start: the old ones stay');
        return;
      }
      this.#stopChild(child);
      await this.#ended(child);
    }
    this.#log.info('All workers are new');
  }

  resize(workers: number): void {
    if (this.#stopping) return;
    this.#wanted = Math.max(1, workers);
    const serving = [...this.#children].filter((child) => !child.stopping);
    this.#log.info(`${this.#wanted} workers`);
    for (let index = serving.length; index < this.#wanted; index++) void this.#start();
    for (const child of serving.slice(this.#wanted)) this.#stopChild(child);
  }

  #tellAll(message: SupervisorMessage): void {
    for (const { worker } of this.#children) if (worker.connected) worker.send(message);
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
      stopping: false,
      killer: null,
      onTheWay: new Map(),
    };
    this.#children.add(child);
    return new Promise((resolve) => {
      worker.on('message', (message: unknown) => {
        if (!isMessage<WorkerMessage>(message)) return;
        if (message.sobaya === 'ready') {
          child.ready = true;
          this.#failures = 0;
          this.#announce();
          const waiting = this.#waiting;
          this.#waiting = [];
          for (const socket of waiting) this.#deal(socket);
          resolve(true);
        } else if (message.sobaya === 'accepted') {
          // Closes our copy of the descriptor alone; the connection goes on in the worker.
          child.onTheWay.get(message.id)?.destroy();
          child.onTheWay.delete(message.id);
        } else this.#recycle(child, message.why);
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
    if (child.stopping || this.#stopping) return;
    this.#log.info(`Worker ${child.worker.pid} is replaced: ${why}`);
    void this.#start().then((ready) => {
      if (ready) this.#stopChild(child);
    });
  }

  #stopChild(child: Child, drain = true): void {
    if (child.stopping) return;
    child.stopping = true;
    if (child.worker.connected) child.worker.send({ sobaya: 'stop', drain } satisfies SupervisorMessage);
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
    const lost = [...child.onTheWay.values()];
    child.onTheWay.clear();
    for (const socket of lost) this.#deal(socket);
    if (child.killer !== null) clearTimeout(child.killer);
    if (this.#stopping) {
      if (this.#children.size === 0) this.#finish(this.#exitCode);
      return;
    }
    if (child.stopping) return;
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    if (!child.ready && !this.#announced && !this.#options.reload) {
      // It never served: the next one would not either. Its own message has been printed.
      this.#exitCode = code === null || code === 0 ? 1 : code;
      this.stop();
      return;
    }
    if (!child.ready && this.#options.reload) {
      this.#log.info('Waiting for a change');
      return;
    }
    if (!child.ready && this.#rolling !== null) return;
    this.#log.error(`Worker ${worker.pid} ended with ${how}`);
    const soon = Date.now() - child.startedAt < HEALTHY_AFTER;
    this.#failures = soon ? this.#failures + 1 : 0;
    const delay = soon ? Math.min(10_000, 100 * 2 ** this.#failures) : 0;
    setTimeout(() => {
      const serving = [...this.#children].filter((other) => !other.stopping).length;
      if (!this.#stopping && serving < this.#wanted) void this.#start();
    }, delay);
  }

  async #watch(reload: ReloadOptions): Promise<{ close(): Promise<void> }> {
    const { watchSources } = await import('./watch.ts');
    return watchSources(reload, (path) => {
      if (this.#stopping) return;
      this.#log.info(`${path} changed, reloading`);
      for (const child of this.#children) this.#stopChild(child, false);
      void this.#start();
    });
  }
}
