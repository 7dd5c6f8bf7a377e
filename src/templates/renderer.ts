/**
 * Renders what the engine has parsed. The engine's own renderer makes a promise for every step of every tag; here a
 * promise is made only where something has to be awaited, and text and plain variables, which are most of a
 * template, are written without its generators. Everything else is the engine's, tag by tag.
 */
import {
  type Context,
  ForTag,
  type Liquid,
  LiquidError,
  Output,
  RenderError,
  type Template,
  TokenKind,
} from 'liquidjs';
import { output, textOf } from './safe.ts';

type Step = (context: Context, emitter: TextEmitter) => Promise<void> | undefined;

/** Where the text goes. */
export class TextEmitter {
  buffer = '';
  write(html: unknown): void {
    this.buffer += typeof html === 'string' ? html : textOf(html);
  }
}

interface Steps {
  next(value?: unknown): IteratorResult<unknown>;
  throw(error: unknown): IteratorResult<unknown>;
}

function isSteps(value: unknown): value is Steps {
  const { next, throw: fail } = (value ?? {}) as { next?: unknown; throw?: unknown };
  return (
    typeof next === 'function' && typeof fail === 'function' && !(Symbol.asyncIterator in (value as object))
  );
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** Runs a generator of the engine to its end, or to the first promise, and then on. */
export function drive(steps: Steps, mode: 'next' | 'throw' = 'next', given?: unknown): unknown {
  let action = mode;
  let value = given;
  for (;;) {
    const state = steps[action](value);
    action = 'next';
    value = state.value;
    if (isSteps(value)) {
      try {
        value = drive(value);
      } catch (error) {
        if (state.done) throw error;
        action = 'throw';
        value = error;
        continue;
      }
    }
    if (isThenable(value)) {
      if (state.done) return value;
      return Promise.resolve(value).then(
        (resolved) => drive(steps, 'next', resolved),
        (error) => drive(steps, 'throw', error),
      );
    }
    if (state.done) return value;
  }
}

/** The names of `{{ a.b.c }}`; null when it is anything else. */
function plainPath(template: Output): readonly string[] | null {
  const { filters, initial } = template.value as unknown as {
    filters: readonly { handler: unknown }[];
    initial: { postfix?: readonly unknown[] };
  };
  if (filters.length !== 1 || filters[0]?.handler !== output || initial.postfix?.length !== 1) return null;
  return pathOf(initial.postfix[0]);
}

function pathOf(token: unknown): readonly string[] | null {
  const { kind, props, variable } = token as {
    kind: TokenKind;
    props?: readonly { kind: TokenKind; content?: unknown }[];
    variable?: unknown;
  };
  if (kind !== TokenKind.PropertyAccess || variable !== undefined || props === undefined) return null;
  const names: string[] = [];
  for (const prop of props) {
    if (typeof prop.content !== 'string') return null;
    names.push(prop.content);
  }
  return names.length > 0 ? names : null;
}

/** The engine's own way, for one template. */
function engineStep(template: Template): Step {
  return (context, emitter) => {
    const html = template.render(context, emitter as never) as unknown;
    const done = isSteps(html) ? drive(html) : html;
    if (isThenable(done)) return Promise.resolve(done).then((late) => void (late && emitter.write(late)));
    if (done) emitter.write(done);
    return undefined;
  };
}

/** The value of a path: undefined when it is not there, a promise when it is not here yet. */
function readPath(names: readonly string[], context: Context): unknown {
  const first = names[0] as string;
  let value: unknown = context.readProperty(findScope(context, first), first as never);
  for (let i = 1; i < names.length && value !== undefined; i++) {
    if (isThenable(value)) return readLater(value, names, i, context);
    value = context.readProperty(value as never, names[i] as never);
  }
  return value;
}

async function readLater(
  promise: PromiseLike<unknown>,
  names: readonly string[],
  from: number,
  context: Context,
): Promise<unknown> {
  let value = await promise;
  for (let i = from; i < names.length; i++)
    value = await context.readProperty(value as never, names[i] as never);
  return value;
}

function pathStep(template: Output, names: readonly string[]): Step {
  const slow = engineStep(template);
  return (context, emitter) => {
    const value = readPath(names, context);
    // The engine knows what an absent variable means here, and says where it is.
    if (value === undefined) return slow(context, emitter);
    if (isThenable(value)) return late(value, context, emitter);
    emitter.buffer += output(value);
    return undefined;
  };

  async function late(promise: PromiseLike<unknown>, context: Context, emitter: TextEmitter): Promise<void> {
    const value = await promise;
    if (value === undefined && context.strictVariables)
      throw new Error(`undefined variable: ${names.join('.')}`);
    emitter.buffer += output(value);
  }
}

/** What a loop tells of itself, under the names that Liquid gives. */
class Forloop {
  index0 = 0;
  readonly length: number;
  constructor(length: number) {
    this.length = length;
  }
  get index(): number {
    return this.index0 + 1;
  }
  get rindex(): number {
    return this.length - this.index0;
  }
  get rindex0(): number {
    return this.length - this.index0 - 1;
  }
  get first(): boolean {
    return this.index0 === 0;
  }
  get last(): boolean {
    return this.index0 === this.length - 1;
  }
}

/** `{% for x in a.b %}` without modifiers, over an array; null when it is anything else. */
function forStep(template: ForTag): Step | null {
  const { variable, collection, hash, templates } = template as unknown as {
    variable: string;
    collection: unknown;
    hash: { hash: object };
    templates: Template[];
  };
  const names = Object.keys(hash.hash).length === 0 ? pathOf(collection) : null;
  if (names === null) return null;
  const slow = engineStep(template);
  return (context, emitter) => {
    const value = readPath(names, context);
    // The engine evaluates what is not there, what it has to turn into an array, and what has an `else`.
    if (Array.isArray(value) && value.length > 0) return loop(value, context, emitter);
    if (!isThenable(value)) return slow(context, emitter);
    return Promise.resolve(value).then((late) => {
      if (Array.isArray(late) && late.length > 0) return loop(late, context, emitter);
      // Asked for once: a queryset would run again.
      return within(context, { [names[0] as string]: nested(names, late) }, () => slow(context, emitter));
    });
  };

  function loop(
    items: readonly unknown[],
    context: Context,
    emitter: TextEmitter,
  ): Promise<void> | undefined {
    const forloop = new Forloop(items.length);
    const scope = Object.assign(Object.create(null), { forloop }) as Record<string, unknown>;
    context.push(scope);
    const from = (start: number): Promise<void> | undefined => {
      for (let i = start; i < items.length; i++) {
        forloop.index0 = i;
        scope[variable] = items[i];
        context.continueCalled = context.breakCalled = false;
        const promise = renderTemplates(templates, context, emitter);
        if (promise !== undefined) return promise.then(() => (context.breakCalled ? end() : from(i + 1)));
        if (context.breakCalled) break;
      }
      return end();
    };
    const end = (): undefined => {
      context.continueCalled = context.breakCalled = false;
      context.pop();
      return undefined;
    };
    return from(0);
  }
}

/** `value` under the rest of a path, as the engine will read it. */
function nested(names: readonly string[], value: unknown): unknown {
  return names.slice(1).reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
}

function within(
  context: Context,
  scope: object,
  render: () => Promise<void> | undefined,
): Promise<void> | undefined {
  context.push(Object.assign(Object.create(null), scope) as object);
  const promise = render();
  if (promise !== undefined) return promise.then(() => void context.pop());
  context.pop();
  return undefined;
}

function findScope(context: Context, name: string): never {
  return (context as unknown as { findScope(name: string): unknown }).findScope(name) as never;
}

function step(template: Template): Step {
  const { token } = template;
  if (token.kind === TokenKind.HTML) {
    const html = (token as unknown as { getContent(): string }).getContent();
    return (_context, emitter) => {
      emitter.buffer += html;
      return undefined;
    };
  }
  const inner = fastStep(template) ?? engineStep(template);
  return (context, emitter) => {
    try {
      const promise = inner(context, emitter);
      return promise?.catch((error) => {
        throw located(error, template);
      });
    } catch (error) {
      throw located(error, template);
    }
  };
}

function fastStep(template: Template): Step | null {
  if (template instanceof ForTag) return forStep(template);
  const names = template instanceof Output ? plainPath(template) : null;
  return names === null ? null : pathStep(template as Output, names);
}

function located(error: unknown, template: Template): unknown {
  return LiquidError.is(error) ? error : new RenderError(error as Error, template);
}

const programs = new WeakMap<Template[], readonly Step[]>();

/** Renders `templates`; a promise only when something had to be awaited. */
export function renderTemplates(
  templates: Template[],
  context: Context,
  emitter: TextEmitter,
): Promise<void> | undefined {
  let steps = programs.get(templates);
  if (steps === undefined) programs.set(templates, (steps = templates.map(step)));
  return renderFrom(steps, 0, context, emitter);
}

function renderFrom(
  steps: readonly Step[],
  from: number,
  context: Context,
  emitter: TextEmitter,
): Promise<void> | undefined {
  for (let i = from; i < steps.length; i++) {
    const promise = (steps[i] as Step)(context, emitter);
    if (promise !== undefined)
      return promise.then(() => (stopped(context) ? undefined : renderFrom(steps, i + 1, context, emitter)));
    if (stopped(context)) return undefined;
  }
  return undefined;
}

/** `{% break %}` and `{% continue %}` end what stands around them. */
function stopped(context: Context): boolean {
  return context.breakCalled || context.continueCalled;
}

/** Makes the engine's tags render what is inside of them in the same way. */
export function install(engine: Liquid): void {
  (engine.renderer as unknown as Record<string, unknown>)['renderTemplates'] = function* (
    templates: Template[],
    context: Context,
    emitter: TextEmitter = new TextEmitter(),
  ): Generator<unknown, string, unknown> {
    const promise = renderTemplates(templates, context, emitter);
    if (promise !== undefined) yield promise;
    return emitter.buffer;
  };
}
