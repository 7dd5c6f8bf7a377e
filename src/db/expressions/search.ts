/** Full text search on PostgreSQL: documents, questions, ranks and headlines. */
import { fault } from '../../errors/index.ts';
import { FLOAT, FuncNode, type Node, TEXT } from '../sql/nodes.ts';
import type { Expression } from '../typing/lookups.ts';
import type { Computed } from '../typing/model.ts';
import { Expr, operand, type Resolver, type Writer } from './expression.ts';
import { type Argument, argument, call } from './func.ts';

type Compiler = Parameters<Node['sql']>[0];

function needed(c: Compiler, what: string): void {
  if (!c.dialect.features.fullText)
    throw fault('SBY_DB_UNSUPPORTED', { what, engine: c.dialect.vendor, fix: 'Use icontains' });
}

/** The name of a text search configuration stands in SQL: 'english', 'simple'. */
function configuration(name: string | undefined): string {
  if (name === undefined) return '';
  if (!/^[A-Za-z_][\w.]*$/.test(name))
    throw fault('SBY_DB_BAD_NAME', { what: 'text search configuration', got: name });
  return `'${name}'::regconfig,`;
}

/** An expression whose parts are put together by a template of ours. */
class Search extends Expr {
  readonly name: string;
  readonly detail: string;
  readonly args: readonly Expr[];
  readonly template: (args: readonly string[]) => string;
  constructor(name: string, detail: string, args: readonly Expr[], template: Search['template']) {
    super();
    this.name = name;
    this.detail = detail;
    this.args = args;
    this.template = template;
  }
  write(w: Writer): void {
    w.text += `${this.name}${this.detail}(`;
    for (const arg of this.args) arg.write(w);
    w.text += ')';
  }
  resolve(r: Resolver): Node {
    const nodes = this.args.map((arg) => arg.resolve(r));
    return new FuncNode(this.name, nodes, null, false, (args, c) => {
      needed(c, 'Full text search');
      return this.template(args);
    });
  }
  #joined(operator: string, other: unknown): Search {
    if (!(other instanceof Search) || other.name !== this.name)
      throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
        path: this.name === 'SEARCH_VECTOR' ? 'SearchVector.concat()' : 'SearchQuery.and(), or()',
        got: other,
        expected: this.name === 'SEARCH_VECTOR' ? 'another SearchVector' : 'another SearchQuery',
      });
    return new Search(this.name, operator, [this, other], ([a, b]) => `(${a} ${operator} ${b})`);
  }
  concat(other: unknown): Search {
    return this.#joined('||', other);
  }
  and(other: unknown): Search {
    return this.#joined('&&', other);
  }
  or(other: unknown): Search {
    return this.#joined('||', other);
  }
  not(): Search {
    return new Search(this.name, '!!', [this], ([a]) => `(!!${a})`);
  }
}

export interface SearchVectorExpression extends Expression<string> {
  /** One document of both. */
  concat(other: SearchVectorExpression): SearchVectorExpression;
}
export interface SearchQueryExpression extends Expression<string> {
  and(other: SearchQueryExpression): SearchQueryExpression;
  or(other: SearchQueryExpression): SearchQueryExpression;
  not(): SearchQueryExpression;
}

export interface SearchVectorOptions {
  /** The text search configuration. Default: the database's. */
  readonly config?: string;
  /** What matches in this document count for in the rank: A most. */
  readonly weight?: 'A' | 'B' | 'C' | 'D';
}
/** Fields as one document: annotate({ search: SearchVector(['title', 'body']) }).filter({ search: SearchQuery('soba') }). */
export function SearchVector(
  fields: string | Expression<unknown> | readonly (string | Expression<unknown>)[],
  options: SearchVectorOptions = {},
): SearchVectorExpression {
  const list = (Array.isArray(fields) ? fields : [fields]) as Argument[];
  if (list.length === 0)
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', { path: 'SearchVector()', got: fields, expected: 'fields' });
  const { weight } = options;
  if (weight !== undefined && !/^[A-D]$/.test(weight))
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
      path: 'SearchVector({ weight })',
      got: weight,
      expected: 'A, B, C or D',
    });
  const config = configuration(options.config);
  return new Search('SEARCH_VECTOR', `${config}${weight ?? ''}`, list.map(argument), (args) => {
    const document = `to_tsvector(${config}${args.map((x) => `COALESCE((${x})::text,'')`).join(`||' '||`)})`;
    return weight === undefined ? document : `setweight(${document},'${weight}')`;
  }) as unknown as SearchVectorExpression;
}

const readers = {
  plain: 'plainto_tsquery',
  phrase: 'phraseto_tsquery',
  raw: 'to_tsquery',
  websearch: 'websearch_to_tsquery',
} as const;
export interface SearchQueryOptions {
  readonly config?: string;
  /** How the text is read: all words (plain), in this order (phrase), with operators (raw), as search engines do. */
  readonly type?: keyof typeof readers;
}
/** What is searched for; combined with and(), or(), not(). */
export function SearchQuery(text: string, options: SearchQueryOptions = {}): SearchQueryExpression {
  const reader = readers[options.type ?? 'plain'];
  if (reader === undefined)
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
      path: 'SearchQuery({ type })',
      got: options.type,
      expected: 'plain, phrase, raw or websearch',
    });
  if (typeof text !== 'string')
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', { path: 'SearchQuery()', got: text, expected: 'text' });
  const config = configuration(options.config);
  return new Search(
    'SEARCH_QUERY',
    `${reader}${config}`,
    [operand(text)],
    ([x]) => `${reader}(${config}${x})`,
  ) as unknown as SearchQueryExpression;
}

export interface SearchRankOptions {
  /** What D, C, B and A count for. Default 0.1, 0.2, 0.4, 1. */
  readonly weights?: readonly [number, number, number, number];
  /** PostgreSQL's bits for the length of documents. */
  readonly normalization?: number;
  /** Whether words that stand close together count for more. */
  readonly coverDensity?: boolean;
}
/** How well a document matches: more is better. */
export function SearchRank(
  vector: SearchVectorExpression | string,
  query: SearchQueryExpression | string,
  options: SearchRankOptions = {},
): Computed<number> {
  const { weights, normalization } = options;
  if (weights !== undefined && (weights.length !== 4 || !weights.every(Number.isFinite)))
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
      path: 'SearchRank({ weights })',
      got: weights,
      expected: 'four numbers',
    });
  if (normalization !== undefined && !Number.isSafeInteger(normalization))
    throw fault('SBY_DB_BAD_LOOKUP_VALUE', {
      path: 'SearchRank({ normalization })',
      got: normalization,
      expected: 'a whole number',
    });
  const head = weights === undefined ? '' : `'{${weights.map(Number).join(',')}}',`;
  const tail = normalization === undefined ? '' : `,${normalization}`;
  const name = options.coverDensity === true ? 'ts_rank_cd' : 'ts_rank';
  const document = typeof vector === 'string' ? SearchVector(vector) : vector;
  const asked = typeof query === 'string' ? SearchQuery(query) : query;
  return call('SEARCH_RANK', [document, asked] as unknown as Expr[], FLOAT, {
    detail: `${name}${head}${tail}`,
    strict: false,
    template: ([v, q], c) => {
      needed(c, 'SearchRank()');
      return `${name}(${head}${v},${q}${tail})`;
    },
  });
}

export interface SearchHeadlineOptions {
  readonly config?: string;
  readonly startSel?: string;
  readonly stopSel?: string;
  readonly maxWords?: number;
  readonly minWords?: number;
  readonly shortWord?: number;
  readonly highlightAll?: boolean;
  readonly maxFragments?: number;
  readonly fragmentDelimiter?: string;
}
/** The part of a text that matches, with what matches marked. The text is not escaped: mark it up in a template. */
export function SearchHeadline(
  text: Argument,
  query: SearchQueryExpression | string,
  options: SearchHeadlineOptions = {},
): Computed<string> {
  const { config: name, ...rest } = options;
  const config = configuration(name);
  const pairs = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      const written = typeof value === 'string' ? `"${value.replaceAll('"', '""')}"` : String(Number(value));
      return `${key[0]?.toUpperCase()}${key.slice(1)}=${typeof value === 'boolean' ? String(value) : written}`;
    });
  const asked = typeof query === 'string' ? SearchQuery(query) : query;
  const args = [
    argument(text),
    asked as unknown as Expr,
    ...(pairs.length > 0 ? [operand(pairs.join(','))] : []),
  ];
  return call('SEARCH_HEADLINE', args, TEXT, {
    detail: config,
    strict: false,
    template: ([x, q, more], c) => {
      needed(c, 'SearchHeadline()');
      return `ts_headline(${config}(${x})::text,${q}${more === undefined ? '' : `,${more}`})`;
    },
  });
}

/** Likeness of two texts from 0 to 1, by the letters they share. PostgreSQL with its extension pg_trgm. */
export const TrigramSimilarity = (x: Argument, text: string | Expression<string>): Computed<number> =>
  call('SIMILARITY', [argument(x), operand(text)], FLOAT, {
    template: ([a, b], c) => {
      needed(c, 'TrigramSimilarity()');
      return `SIMILARITY(${a},${b})`;
    },
  });
export const TrigramDistance = (x: Argument, text: string | Expression<string>): Computed<number> =>
  call('TRIGRAM_DISTANCE', [argument(x), operand(text)], FLOAT, {
    template: ([a, b], c) => {
      needed(c, 'TrigramDistance()');
      return `(${a} <-> ${b})`;
    },
  });
