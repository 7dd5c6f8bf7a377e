import {
  CaptureTag,
  type Context,
  type Emitter,
  evalToken,
  Hash,
  LayoutTag,
  type Liquid,
  Tag,
  type TagToken,
  type TopLevelToken,
} from 'liquidjs';
import { gettext, interpolate, type MessageValues, pluralText } from '../i18n/index.ts';
import { output, SafeString } from './safe.ts';

/** What the tags need to know of the application. */
export interface TagHooks {
  url(name: string, params: Readonly<Record<string, unknown>>): string;
  static(path: string): string;
  csrfField(request: unknown): SafeString;
}

type Evaluated = {
  readonly value: unknown;
  readonly args: Record<string, unknown>;
  readonly as: string | null;
};

/** `{% name value key: value … as variable %}`. */
abstract class CallTag extends Tag {
  readonly #value: ReturnType<Tag['tokenizer']['readValue']>;
  readonly #hash: Hash;
  readonly #as: string | null;
  /** Whether the value is written out in the template, and so is its author's. */
  readonly literal: boolean;

  constructor(token: TagToken, remaining: TopLevelToken[], liquid: Liquid) {
    super(token, remaining, liquid);
    const as = /\s+as\s+([A-Za-z_]\w*)\s*$/.exec(token.args);
    this.#as = as?.[1] ?? null;
    this.#value = this.tokenizer.readValue();
    if (this.#value === undefined)
      throw new Error(`{% ${this.name} %} needs a value: {% ${this.name} 'value' %}`);
    this.literal = /^\s*['"]/.test(token.args);
    this.tokenizer.skipBlank();
    if (this.tokenizer.peek() === ',') this.tokenizer.advance();
    // Hash reads `key: value` pairs and stops at what is none: `as name`.
    this.#hash = new Hash(this.tokenizer, ':');
  }

  abstract call(evaluated: Evaluated, ctx: Context): string;

  *render(ctx: Context, emitter: Emitter): Generator<unknown, void, unknown> {
    const value = yield evalToken(this.#value, ctx);
    const args = (yield this.#hash.render(ctx)) as Record<string, unknown>;
    if (this.#as !== null) delete args[this.#as];
    delete args['as'];
    const html = this.call({ value, args, as: this.#as }, ctx);
    if (this.#as === null) emitter.write(html);
    else (ctx.bottom() as Record<string, unknown>)[this.#as] = new SafeString(html);
  }
}

export function registerTags(engine: Liquid, hooks: TagHooks): void {
  engine.registerTag('extends', LayoutTag);

  engine.registerTag(
    'url',
    class extends CallTag {
      override call({ value, args }: Evaluated): string {
        return output(hooks.url(String(value), args));
      }
    },
  );

  engine.registerTag(
    'static',
    class extends CallTag {
      override call({ value }: Evaluated): string {
        return output(hooks.static(String(value)));
      }
    },
  );

  engine.registerTag(
    'translate',
    class extends CallTag {
      override call({ value, args }: Evaluated): string {
        const { plural, count, ...rest } = args;
        const values = { ...rest, ...(count === undefined ? {} : { count }) } as MessageValues;
        const message = String(value ?? '');
        const text =
          typeof plural === 'string' ? pluralText(message, plural, Number(count)) : gettext(message);
        // A message written out in the template may have markup, as may its translation; values may not.
        if (this.literal) return interpolate(text, values, output);
        return output(interpolate(text, values));
      }
    },
  );

  engine.registerTag(
    'csrf_token',
    class extends Tag {
      override *render(ctx: Context, emitter: Emitter): Generator<unknown, void, unknown> {
        const request = yield ctx._get(['request']);
        emitter.write(hooks.csrfField(request).html);
      }
    },
  );

  // What was captured is HTML: it was escaped when it was written, and must not be again.
  engine.registerTag(
    'capture',
    class extends CaptureTag {
      override *render(ctx: Context): Generator<unknown, void, string> {
        yield* super.render(ctx);
        const variable = (this as unknown as { variable: string }).variable;
        const scope = ctx.bottom() as Record<string, unknown>;
        scope[variable] = new SafeString(String(scope[variable]));
      }
    },
  );
}
