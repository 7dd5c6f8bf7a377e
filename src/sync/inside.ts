import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import {
  Context,
  cancelled,
  currentContext,
  DeadlineScope,
  portableVars,
  rootContext,
  runInContext,
  type Scope,
  withArrived,
} from '../asyncio/index.ts';
import { fault } from '../errors/index.ts';
import { packError, reviveErrorNow } from './error-wire.ts';
import { readFlag } from './flags.ts';
import {
  type AnswerMessage,
  type CallMessage,
  cloneable,
  type FromThread,
  slots,
  type ToThread,
  unwrap,
} from './wire.ts';

/** How long a thread waits for the next call before it turns its loop again, in ms. */
const lingering = 2;

type Namespace = Record<string, unknown>;

/** The side of a pool that runs inside a thread or process: calls functions, and lets them ask the main loop. */
export class Inside {
  readonly #post: (message: FromThread, list: readonly ArrayBuffer[]) => void;
  readonly #port: MessagePort | null;
  readonly #shared: Int32Array | null;
  readonly #modules = new Map<string, Namespace>();
  readonly #scopes = new Map<number, Scope>();
  readonly #answers = new Map<number, AnswerMessage>();
  readonly #calls: CallMessage[] = [];
  readonly #require = createRequire(import.meta.url);
  readonly #resources = process.getActiveResourcesInfo().length + 1;
  #asked = 0;

  /** `port` and `shared` are null in a process: from there the main loop cannot be asked. */
  constructor(
    post: (message: FromThread, list: readonly ArrayBuffer[]) => void,
    port: MessagePort | null,
    shared: Int32Array | null,
  ) {
    this.#post = post;
    this.#port = port;
    this.#shared = shared;
  }

  receive(message: ToThread): void {
    if (message.kind === 'call') {
      void this.#call(message);
      this.#linger();
    } else if (message.kind === 'cancel')
      this.#scopes.get(message.id)?.cancel(cancelled('the caller was cancelled'));
    else this.#answers.set(message.id, message);
  }

  /**
   * After a call that is over already the next one often comes at once: waiting for it here for a moment is cheaper
   * than a turn of the event loop. Only when nothing else of the thread could want its loop.
   */
  #linger(): void {
    const port = this.#port;
    const shared = this.#shared;
    if (port === null || shared === null) return;
    // Not for ever: promises of the thread want their turn too.
    for (let served = 0; served < 64 && this.#calls.length === 0 && this.#quiet(); served++) {
      const seen = Atomics.load(shared, slots.messages);
      const got = receiveMessageOnPort(port);
      if (got === undefined) {
        if (Atomics.wait(shared, slots.messages, seen, lingering) === 'timed-out') return;
        continue;
      }
      const message = got.message as ToThread;
      if (message.kind === 'call') void this.#call(message);
      else this.receive(message);
    }
  }

  /** Whether the functions that ran have left nothing behind that needs the loop of the thread. */
  #quiet(): boolean {
    return process.getActiveResourcesInfo().length <= this.#resources;
  }

  async #call(message: CallMessage): Promise<void> {
    let exports: Namespace = {};
    this.#calls.push(message);
    try {
      exports = this.#modules.get(message.module) ?? (await this.#load(message.module));
      let value = this.#invoke(message, exports);
      if (typeof (value as PromiseLike<unknown> | null)?.then === 'function') value = await value;
      this.#finish(message, true, value, exports);
    } catch (error) {
      this.#finish(message, false, error, exports);
    }
  }

  /** A call while the thread is blocked: all of it has to happen at once. */
  #callNow(message: CallMessage): void {
    let exports: Namespace = {};
    this.#calls.push(message);
    try {
      exports = this.#modules.get(message.module) ?? this.#loadNow(message);
      const value = this.#invoke(message, exports);
      if (typeof (value as PromiseLike<unknown> | null)?.then === 'function') {
        (value as PromiseLike<unknown>).then(null, () => {});
        const { module, name } = message;
        throw fault('SBY_SYNC_DEADLOCK', { module, name, why: `${name}() is async` });
      }
      this.#finish(message, true, value, exports);
    } catch (error) {
      this.#finish(message, false, error, exports);
    }
  }

  #invoke(message: CallMessage, exports: Namespace): unknown {
    const byDefault = exports['default'];
    let fn = exports[message.name];
    // CommonJS: what it exports is the default export of its namespace. What objects have anyway is not exported.
    if (fn === undefined && byDefault && Object.hasOwn(byDefault, message.name))
      fn = (byDefault as Namespace)[message.name];
    if (typeof fn !== 'function') {
      const names = Object.keys(exports).filter((key) => typeof exports[key] === 'function');
      throw fault('SBY_SYNC_NO_FUNCTION', { module: message.module, name: message.name, exports: names });
    }
    const scope = new DeadlineScope(rootContext.scope, `call of ${message.name}`);
    scope.held = true;
    if (message.left !== null) scope.deadline = { when: performance.now() + message.left };
    this.#scopes.set(message.id, scope);
    const context = withArrived(new Context(scope, null, null, null, -1), message.vars);
    return runInContext(context, () => (fn as (...args: readonly unknown[]) => unknown)(...message.args));
  }

  #finish(message: CallMessage, ok: boolean, outcome: unknown, exports: Namespace): void {
    const scope = this.#scopes.get(message.id);
    if (scope !== undefined) {
      // What a function started in its thread and did not wait for ends with the call.
      scope.cancel(cancelled(`the call of ${message.name}() ended`));
      scope.unlink();
      this.#scopes.delete(message.id);
    }
    this.#calls.splice(this.#calls.indexOf(message), 1);
    const { id } = message;
    if (!ok) {
      this.#post({ kind: 'done', id, ok, value: packError(outcome, message.module, exports) }, []);
      return;
    }
    const { plain, list } = unwrap([outcome]);
    try {
      this.#post({ kind: 'done', id, ok, value: plain[0] }, list as ArrayBuffer[]);
    } catch {
      const error = fault('SBY_SYNC_NOT_CLONEABLE', {
        name: message.name,
        part: 'The result',
        got: plain[0],
      });
      this.#post({ kind: 'done', id, ok: false, value: packError(error, message.module, exports) }, []);
    }
  }

  async #load(module: string): Promise<Namespace> {
    try {
      const namespace = (await import(module)) as Namespace;
      this.#modules.set(module, namespace);
      return namespace;
    } catch (cause) {
      throw fault('SBY_SYNC_NO_MODULE', { module, why: firstLine(cause) }, { cause });
    }
  }

  #loadNow({ module, name }: CallMessage): Namespace {
    try {
      const namespace = this.#require(
        module.startsWith('file:') ? fileURLToPath(module) : module,
      ) as Namespace;
      this.#modules.set(module, namespace);
      return namespace;
    } catch (cause) {
      if ((cause as { code?: unknown }).code === 'ERR_REQUIRE_ASYNC_MODULE')
        throw fault(
          'SBY_SYNC_DEADLOCK',
          { module, name, why: 'its module has a top-level await' },
          { cause },
        );
      throw fault('SBY_SYNC_NO_MODULE', { module, why: firstLine(cause) }, { cause });
    }
  }

  /** Has the main loop run an async function, and blocks this thread until it has ended. */
  ask(module: string, name: string, args: readonly unknown[]): unknown {
    const port = this.#port;
    const shared = this.#shared;
    const call = this.#calls.at(-1);
    if (port === null || shared === null || call === undefined)
      throw fault('SBY_SYNC_NO_WAY_BACK', {
        name,
        where: port === null ? 'a process of a ProcessPool' : 'a thread that has no call to run',
      });
    const id = ++this.#asked;
    const here = new Error();
    const { plain, list } = unwrap(args);
    try {
      this.#post(
        { kind: 'ask', id, call: call.id, module, name, args: plain, vars: portableVars(currentContext()) },
        list as ArrayBuffer[],
      );
    } catch {
      const at = plain.findIndex((value) => !cloneable(value));
      const part = at === -1 ? 'An argument' : `argument ${at + 1}`;
      throw fault('SBY_SYNC_NOT_CLONEABLE', { name, part, got: at === -1 ? plain : plain[at] });
    }
    for (;;) {
      const seen = Atomics.load(shared, slots.messages);
      for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
        const message = got.message as ToThread;
        // Meanwhile the thread serves what the answer may depend on.
        if (message.kind === 'call') this.#callNow(message);
        else this.receive(message);
      }
      const answer = this.#answers.get(id);
      if (answer !== undefined) {
        this.#answers.delete(id);
        if (answer.ok) return answer.value;
        throw reviveErrorNow(answer.value, here);
      }
      Atomics.wait(shared, slots.messages, seen);
    }
  }

  /** Whether the caller of the running call has been cancelled. */
  get isCancelled(): boolean {
    const call = this.#calls.at(-1);
    if (call === undefined) return false;
    if (this.#shared !== null) return Atomics.load(this.#shared, slots.cancelled + call.depth) === 1;
    return (this.#scopes.get(call.id)?.cancelled ?? false) || readFlag(call.depth);
  }
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
}

let inside: Inside | null = null;

/** Called once by the entry of a thread or process. */
export function enterInside(side: Inside): void {
  inside = side;
}

export function currentInside(): Inside | null {
  return inside;
}
