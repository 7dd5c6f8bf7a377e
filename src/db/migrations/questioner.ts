/** What only a person can know: renames, moves, values for existing rows. Asked on a terminal, or answered by flags. */
import { createInterface } from 'node:readline/promises';
import { fault } from '../../errors/index.ts';
import type { FieldState, ModelState } from './state.ts';

/** `undefined`: leave it to the rows, or to the person who edits the file. */
export type FillAnswer = { readonly value: unknown } | undefined;

export interface Questioner {
  /** What a model (`shop.Author`) or field (`shop.Author.name`) was renamed to, where somebody said so unasked. */
  said?(path: string): string | undefined;
  /** Renames that were said, and that fit nothing: a misspelt name would silently do the wrong thing. */
  unused?(): readonly string[];
  /** Was `from` renamed to `to`? Their fields are the same. */
  renamedModel(from: ModelState, to: ModelState): Promise<boolean>;
  movedModel(from: ModelState, to: ModelState): Promise<boolean>;
  renamedField(model: ModelState, from: string, to: string, field: FieldState): Promise<boolean>;
  /** What existing rows get in a field that may not be null. */
  fill(model: ModelState, name: string, field: FieldState, why: 'added' | 'not null'): Promise<FillAnswer>;
}

export interface QuestionerFlags {
  /** `shop.Author=shop.Writer`, `shop.Author.name=title`; old=new. */
  readonly renames?: readonly string[];
  /** Nothing was renamed: what looks like it is a removal and an addition. */
  readonly noRenames?: boolean;
  /** `shop.Article.slug='x'`, the value as JSON, or `sql:now()`. */
  readonly fills?: readonly string[];
}

const key = (model: ModelState): string => `${model.app}.${model.name}`;

/** Answers from flags; what they do not answer goes to `otherwise`. */
export class FlagQuestioner implements Questioner {
  readonly #flags: QuestionerFlags;
  readonly #otherwise: Questioner;
  readonly #renames: Map<string, string>;
  readonly #fills: Map<string, unknown>;

  constructor(flags: QuestionerFlags, otherwise: Questioner) {
    this.#flags = flags;
    this.#otherwise = otherwise;
    this.#renames = new Map((flags.renames ?? []).map((flag) => pair('--rename', flag)));
    this.#fills = new Map(
      (flags.fills ?? []).map((flag) => {
        const [field, text] = pair('--default', flag);
        return [field, parseValue(text)];
      }),
    );
  }

  readonly #used = new Set<string>();

  said(path: string): string | undefined {
    return this.#renames.get(path);
  }

  unused(): readonly string[] {
    return [...this.#renames].filter(([from]) => !this.#used.has(from)).map(([from, to]) => `${from}=${to}`);
  }

  #answer(from: string, to: string, short: string): boolean | null {
    const said = this.#renames.get(from);
    if (said !== undefined) {
      const fits = said === to || said === short;
      if (fits) this.#used.add(from);
      return fits;
    }
    // The new name was given to another old one.
    if ([...this.#renames.values()].some((name) => name === to)) return false;
    return this.#flags.noRenames ? false : null;
  }

  async renamedModel(from: ModelState, to: ModelState): Promise<boolean> {
    return this.#answer(key(from), key(to), to.name) ?? this.#otherwise.renamedModel(from, to);
  }

  async movedModel(from: ModelState, to: ModelState): Promise<boolean> {
    return this.#answer(key(from), key(to), key(to)) ?? this.#otherwise.movedModel(from, to);
  }

  async renamedField(model: ModelState, from: string, to: string, field: FieldState): Promise<boolean> {
    const said = this.#answer(`${key(model)}.${from}`, `${key(model)}.${to}`, to);
    return said ?? this.#otherwise.renamedField(model, from, to, field);
  }

  async fill(
    model: ModelState,
    name: string,
    field: FieldState,
    why: 'added' | 'not null',
  ): Promise<FillAnswer> {
    const path = `${key(model)}.${name}`;
    if (this.#fills.has(path)) return { value: this.#fills.get(path) };
    return this.#otherwise.fill(model, name, field, why);
  }
}

function pair(flag: string, text: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw fault('SBY_MIGRATIONS_BAD_FLAG', { flag, got: text });
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** `"x"`, `0`, `true` as JSON; `sql:now()` as SQL; anything else is text. */
export function parseValue(text: string): unknown {
  if (text.startsWith('sql:')) return { sql: text.slice(4) };
  const single = /^'(.*)'$/s.exec(text);
  if (single !== null) return single[1];
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Where nobody can be asked: refuses, and says which flag answers. Guessing could drop a column full of data. */
export class SilentQuestioner implements Questioner {
  async renamedModel(from: ModelState, to: ModelState): Promise<boolean> {
    throw fault('SBY_MIGRATIONS_ASK_RENAME', {
      what: `The model ${key(from)} is gone and ${key(to)} is new, with the same fields`,
      flag: `--rename ${key(from)}=${to.name}`,
    });
  }

  async movedModel(from: ModelState, to: ModelState): Promise<boolean> {
    throw fault('SBY_MIGRATIONS_ASK_RENAME', {
      what: `The model ${key(from)} is gone and ${key(to)} is new, with the same fields`,
      flag: `--rename ${key(from)}=${key(to)}`,
    });
  }

  async renamedField(model: ModelState, from: string, to: string): Promise<boolean> {
    throw fault('SBY_MIGRATIONS_ASK_RENAME', {
      what: `The field ${key(model)}.${from} is gone and ${to} is new, of the same kind`,
      flag: `--rename ${key(model)}.${from}=${to}`,
    });
  }

  async fill(
    model: ModelState,
    name: string,
    _field: FieldState,
    why: 'added' | 'not null',
  ): Promise<FillAnswer> {
    throw fault('SBY_MIGRATIONS_ASK_FILL', { model: key(model), field: name, why });
  }
}

export interface PromptTerminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** Asks a person. */
export class TerminalQuestioner implements Questioner {
  readonly #terminal: PromptTerminal;

  constructor(terminal: PromptTerminal = { input: process.stdin, output: process.stdout }) {
    this.#terminal = terminal;
  }

  async #ask(question: string): Promise<string> {
    const reader = createInterface(this.#terminal);
    const closed = new Promise<never>((_, reject) => {
      reader.once('close', () => reject(fault('SBY_MIGRATIONS_NO_ANSWER', { question })));
    });
    try {
      return (await Promise.race([reader.question(question), closed])).trim();
    } finally {
      closed.catch(() => {});
      reader.close();
    }
  }

  async #yes(question: string): Promise<boolean> {
    for (;;) {
      const answer = (await this.#ask(`${question} [y/N] `)).toLowerCase();
      if (answer === 'y' || answer === 'yes') return true;
      if (answer === '' || answer === 'n' || answer === 'no') return false;
    }
  }

  renamedModel(from: ModelState, to: ModelState): Promise<boolean> {
    return this.#yes(`Was the model ${key(from)} renamed to ${to.name}?`);
  }

  movedModel(from: ModelState, to: ModelState): Promise<boolean> {
    return this.#yes(`Was the model ${key(from)} moved to ${key(to)}, with its table and its rows?`);
  }

  renamedField(model: ModelState, from: string, to: string, field: FieldState): Promise<boolean> {
    return this.#yes(`Was ${key(model)}.${from} renamed to ${to} (${field.kind})?`);
  }

  async fill(
    model: ModelState,
    name: string,
    field: FieldState,
    why: 'added' | 'not null',
  ): Promise<FillAnswer> {
    const path = `${key(model)}.${name}`;
    this.#terminal.output.write(
      why === 'added'
        ? `\n${path} (${field.kind}) may not be null and has no default. What do existing rows get?\n`
        : `\n${path} (${field.kind}) may not be null any more. What do rows get that have NULL?\n`,
    );
    this.#terminal.output.write(
      '  A value as JSON ("", 0, true, "2026-01-31"), or sql:EXPRESSION, such as sql:CURRENT_TIMESTAMP\n',
    );
    if (why === 'not null') this.#terminal.output.write('  - : no row has NULL; fail if one does\n');
    this.#terminal.output.write('  q : stop; I shall give the field a default\n');
    for (;;) {
      const answer = await this.#ask('> ');
      if (answer === 'q') throw fault('SBY_MIGRATIONS_ASK_FILL', { model: key(model), field: name, why });
      if (answer === '-' && why === 'not null') return undefined;
      if (answer !== '') return { value: parseValue(answer) };
    }
  }
}
