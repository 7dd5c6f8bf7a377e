/**
 * Renders what the engine has parsed. The engine's own renderer makes a promise for every step of every tag; here a
 * promise is made only where something has to be awaited, and text and plain variables, which are most of a
 * template, are written without its generators. Everything else is the engine's, tag by tag.
 */
import {
  type Context,
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
  const { kind, props, variable } = initial.postfix[0] as {
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

function pathStep(template: Output, names: readonly string[]): Step {
  const first = names[0] as string;
  const slow = engineStep(template);
  return (context, emitter) => {
    let value: unknown = context.readProperty(findScope(context, first), first as never);
    for (let i = 1; i < names.length && value !== undefined; i++) {
      if (isThenable(value)) return later(value, i, context, emitter);
      value = context.readProperty(value as never, names[i] as never);
    }
    // The engine knows what an absent variable means here, and says where it is.
    if (value === undefined) return slow(context, emitter);
    if (isThenable(value)) return later(value, names.length, context, emitter);
    emitter.buffer += output(value);
    return undefined;
  };

  async function later(
    promise: PromiseLike<unknown>,
    from: number,
    context: Context,
    emitter: TextEmitter,
  ): Promise<void> {
    let value = await promise;
    for (let i = from; i < names.length; i++)
      value = await context.readProperty(value as never, names[i] as never);
    if (value === undefined && context.strictVariables)
      throw new Error(`undefined variable: ${names.join('.')}`);
    emitter.buffer += output(value);
  }
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
  const names = template instanceof Output ? plainPath(template) : null;
  const inner = names === null ? engineStep(template) : pathStep(template as Output, names);
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
