import { describe, fault } from '../../errors/index.ts';
import type { ColumnField, ValueField } from '../fields/field.ts';
import { type Family, isRealDate } from '../fields/kinds.ts';
import { isInstance, stateOf } from '../model/base.ts';
import { type Meta, metaOf } from '../model/meta.ts';
import type { Compiler } from './compiler.ts';
import {
  ColumnNode,
  CompareNode,
  DATE,
  FuncNode,
  INTEGER,
  JSON_VALUE,
  type Node,
  ParamNode,
  TEXT,
  TIME,
} from './nodes.ts';

/** What a lookup is given, as far as it changes the SQL. */
export type Given =
  /** A value; `slots` says where it, or the two of a range, stand among the values of the query. */
  | { readonly tag: 'value'; readonly slot: number }
  | { readonly tag: 'range'; readonly slot: number }
  | { readonly tag: 'null' }
  | { readonly tag: 'flag'; readonly value: boolean }
  | { readonly tag: 'nodes'; readonly nodes: readonly Node[] }
  | { readonly tag: 'subquery'; readonly sql: (c: Compiler) => string; readonly children: readonly Node[] };

const COMPARE: Readonly<Record<string, string>> = { exact: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' };
const PATTERNS: Readonly<Record<string, readonly [before: string, after: string]>> = {
  contains: ['%', '%'],
  icontains: ['%', '%'],
  startswith: ['', '%'],
  istartswith: ['', '%'],
  endswith: ['%', ''],
  iendswith: ['%', ''],
  iexact: ['', ''],
};
const DATE_PARTS = new Set([
  'year',
  'iso_year',
  'month',
  'day',
  'week',
  'week_day',
  'iso_week_day',
  'quarter',
]);
const TIME_PARTS = new Set(['hour', 'minute', 'second']);
const ARRAYS = new Set(['contains', 'contained_by', 'overlap', 'len']);
const JSONS = new Set(['contains', 'contained_by', 'has_key', 'has_keys', 'has_any_keys']);

const SPECIAL = /[\\%_]/;
const likeEscape = (value: string): string =>
  SPECIAL.test(value) ? value.replace(/[\\%_]/g, '\\$&') : value;

/** The lookups of a kind of value, for messages. */
export function lookupsOf(family: Family | null): string[] {
  const base = ['exact', 'in', 'isnull'];
  const ordered = [...base, 'gt', 'gte', 'lt', 'lte', 'range'];
  switch (family) {
    case 'text':
      return [...ordered, ...Object.keys(PATTERNS), 'regex', 'iregex', 'search'];
    case 'date':
      return [...ordered, ...DATE_PARTS];
    case 'time':
      return [...ordered, ...TIME_PARTS];
    case 'dateTime':
      return [...ordered, ...DATE_PARTS, ...TIME_PARTS, 'date', 'time'];
    case 'json':
      return [...base, ...JSONS, 'and keys'];
    case 'array':
      return [...base, ...ARRAYS, 'and indexes'];
    case 'boolean':
    case 'binary':
      return base;
    case 'uuid':
      return [...ordered, ...Object.keys(PATTERNS)];
    default:
      return ordered;
  }
}

const label = (node: Node): string => {
  if (node instanceof ColumnNode) return `${node.field.model}.${node.field.name} (${node.field.kind})`;
  return node.output === null ? 'this expression' : `this ${node.output.kind} expression`;
};

function badValue(path: string, got: unknown, expected: string): Error {
  return fault('SBY_DB_BAD_LOOKUP_VALUE', { path, got, expected });
}

/** Applies the transforms that stand before the lookup: `created__year`, `data__owner__name`. */
export function transformed(
  lhs: Node,
  rest: readonly string[],
  path: string,
): { node: Node; lookup: string; json: { base: Node; path: string[] } | null } {
  let node = lhs;
  let json: { base: Node; path: string[] } | null = null;
  for (let i = 0; i < rest.length; i++) {
    const part = rest[i] as string;
    const last = i === rest.length - 1;
    const { family } = node;
    const moment = family === 'dateTime' || family === 'date' || family === 'time';
    if (
      moment &&
      ((DATE_PARTS.has(part) && family !== 'time') || (TIME_PARTS.has(part) && family !== 'date'))
    ) {
      node = new FuncNode(part, [node], INTEGER, true, extractor(part, family));
      continue;
    }
    if (family === 'dateTime' && (part === 'date' || part === 'time')) {
      node = new FuncNode(part, [node], part === 'date' ? DATE : TIME, true, extractor(part, family));
      continue;
    }
    if (family === 'array' && part === 'len') {
      node = new FuncNode('len', [node], INTEGER, true, (args, c) =>
        c.dialect.features.arrays
          ? `CASE WHEN ${args[0]} IS NULL THEN NULL ELSE COALESCE(ARRAY_LENGTH(${args[0]},1),0) END`
          : `JSON_ARRAY_LENGTH(${args[0]})`,
      );
      continue;
    }
    if (family === 'array' && /^\d+$/.test(part)) {
      node = new IndexNode(node, Number(part));
      continue;
    }
    const slice = family === 'array' ? /^(\d+)_(\d+)$/.exec(part) : null;
    if (slice !== null) {
      const [from, to] = [Number(slice[1]), Number(slice[2])];
      node = new FuncNode('slice', [node], node.output, true, (args, c) =>
        c.dialect.features.arrays
          ? `(${args[0]})[${from + 1}:${to}]`
          : `(SELECT JSON_GROUP_ARRAY(value) FROM json_each(${args[0]}) WHERE key>=${from} AND key<${to})`,
      );
      continue;
    }
    if (family === 'json' && !(last && (COMPARE[part] !== undefined || JSONS.has(part) || known(part)))) {
      if (/["'\\\0]/.test(part)) throw fault('SBY_DB_BAD_NAME', { what: 'key of a JSON path', got: part });
      json ??= { base: node, path: [] };
      json.path.push(part);
      continue;
    }
    if (last) return { node, lookup: part, json };
    throw unknownLookup(node, part, path);
  }
  return { node, lookup: 'exact', json };
}

/** An element of an array, or of an array in an array: `grid[1][2]`. */
class IndexNode extends FuncNode {
  readonly path: readonly number[];
  constructor(of: Node, at: number) {
    const path = of instanceof IndexNode ? [...of.path, at] : [at];
    const base = of instanceof IndexNode ? (of.children[0] as Node) : of;
    const element = (of.output as ValueField).options['of'] as ValueField;
    super('index', [base], element, true, ([x], c) =>
      c.dialect.features.arrays
        ? `(${x})${path.map((n) => `[${n + 1}]`).join('')}`
        : `(${x}->>'$${path.map((n) => `[${n}]`).join('')}')`,
    );
    this.path = path;
  }
}

function known(part: string): boolean {
  return (
    part === 'in' ||
    part === 'isnull' ||
    part === 'range' ||
    part === 'regex' ||
    part === 'iregex' ||
    part in PATTERNS
  );
}

export function unknownLookup(node: Node, lookup: string, path: string): Error {
  return fault('SBY_DB_UNKNOWN_LOOKUP', { path, lookup, field: label(node), known: lookupsOf(node.family) });
}

function extractor(part: string, family: Family): (args: readonly string[], c: Compiler) => string {
  return (args, c) => c.dialect.extract(part, args[0] as string, family);
}

/** The key of what was given where a row is meant: an instance's, or the key itself. */
function keyOf(value: unknown, relation: Meta, target: ColumnField, path: string): unknown {
  if (!isInstance(value)) return value;
  const meta = metaOf(value.constructor);
  if (!meta.isKindOf(relation)) throw badValue(path, value, `${relation.label} or its key`);
  const key = (value as Record<string, unknown>)[target.attname];
  if (key === undefined || key === null || stateOf(value).deferred?.has(target.attname))
    throw fault('SBY_DB_NOT_SAVED', { model: meta.label, operation: `The lookup "${path}"` });
  return key;
}

function accepts(output: ValueField, value: unknown): boolean {
  const { family } = output.spec;
  // A lookup may ask for what the column could not hold: 3.5, or 10^12 of a 32-bit column. It matches nothing.
  if (family === 'integer' || family === 'float')
    return (
      (typeof value === 'number' && Number.isFinite(value)) || (typeof value === 'bigint' && inRange(value))
    );
  if (family === 'text') return typeof value === 'string' && !value.includes('\0');
  if (family === 'decimal')
    return (
      (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) ||
      (typeof value === 'number' && Number.isFinite(value))
    );
  if (family === 'dateTime' && typeof value === 'string') return isRealDate(value);
  return output.spec.accepts(value, output.options);
}
const inRange = (value: bigint): boolean => value >= -(2n ** 63n) && value < 2n ** 63n;

function expected(output: ValueField): string {
  const { family } = output.spec;
  if (family === 'integer' || family === 'float') return 'a finite number';
  if (family === 'text') return 'text without NUL';
  if (family === 'decimal') return "decimal text such as '12.50'";
  return output.spec.expected(output.options);
}

type Adapt = ((value: never) => unknown) | null;

/** Checks and adapts one value that is compared with `output`. */
function converter(
  output: ValueField | null,
  relation: Meta | null,
  path: string,
  dialect: Compiler['dialect'],
): (value: unknown) => unknown {
  if (output === null) return (value) => free(value, path);
  const adapt = dialect.adapter(output.spec.family) as ((value: unknown) => unknown) | null;
  const places = output.options['decimalPlaces'];
  const decimal = output.spec.family === 'decimal';
  return (given) => {
    const value = relation === null ? given : keyOf(given, relation, relation.pk, path);
    if (!accepts(output, value))
      throw badValue(path, value, relation === null ? expected(output) : `${relation.label} or its key`);
    if (decimal && typeof places === 'number') return decimalText(value as string | number, places);
    return adapt === null ? value : adapt(value);
  };
}

/** Decimal text with exactly `places` digits after the point, where it has no more: how columns keep it. */
export function decimalText(value: string | number, places: number): string {
  const text = typeof value === 'number' ? String(value) : value;
  const match = /^(-?)0*(\d+?)(?:\.(\d+))?$/.exec(text);
  if (match === null) return text;
  const [, sign = '', whole = '0', fraction = ''] = match;
  const kept = fraction.replace(/0+$/, '');
  const body =
    kept.length > places ? `${whole}.${kept}` : places > 0 ? `${whole}.${kept.padEnd(places, '0')}` : whole;
  return /[1-9]/.test(body) ? sign + body : body;
}

function free(value: unknown, path: string): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    (typeof value === 'string' && !value.includes('\0'))
  )
    return value;
  throw badValue(path, value, 'a number or text');
}

// One converter per (output, relation, path): the compiler tells parameters apart by it.
function cached(make: (c: Compiler) => Adapt): (c: Compiler) => Adapt {
  const known = new Map<unknown, Adapt>();
  return (c) => {
    let found = known.get(c.dialect);
    if (found === undefined) {
      found = make(c);
      known.set(c.dialect, found);
    }
    return found;
  };
}

/** A parameter whose converter depends on the dialect. */
class LookupParam extends ParamNode {
  readonly #convert: (c: Compiler) => Adapt;
  constructor(slot: number, output: ValueField | null, convert: (c: Compiler) => Adapt) {
    super(slot, output, null, false);
    this.#convert = convert;
  }
  override sql(c: Compiler): string {
    return c.param(this.slot, this.#convert(c));
  }
}

export interface LookupSite {
  readonly path: string;
  readonly relation: Meta | null;
}

export function lookupNode(
  target: Node,
  rest: readonly string[],
  given: Given,
  { path, relation }: LookupSite,
): { node: Node; lookup: string; lhs: Node } {
  const found = transformed(target, rest, path);
  let { lookup } = found;
  const { json } = found;
  let lhs = found.node;
  if (json !== null) return { node: jsonLookup(json.base, json.path, lookup, given, path), lookup, lhs };
  const { family, output } = lhs;
  if (given.tag === 'null') {
    if (lookup === 'exact' || lookup === 'iexact') {
      if (family === 'json' && lookup === 'exact')
        return {
          node: new CompareNode([lhs], (c, [x]) => jsonEquals(c, x as string, "'null'"), true),
          lookup,
          lhs,
        };
      return { node: isNull(lhs, true), lookup: 'isnull', lhs };
    }
    if (lookup === 'isnull') throw badValue(path, null, 'true or false');
    throw badValue(path, null, 'no null; write isnull: true');
  }
  if (lookup === 'isnull') {
    if (given.tag !== 'flag') throw badValue(path, given.tag, 'true or false');
    return { node: isNull(lhs, given.value), lookup, lhs };
  }
  if (given.tag === 'flag') throw unknownLookup(lhs, lookup, path);
  const one = (): Node => {
    if (given.tag === 'nodes') return given.nodes[0] as Node;
    if (given.tag === 'subquery') return new SubNode(given.sql, given.children);
    return new LookupParam(
      (given as { slot: number }).slot,
      output,
      cached((c) => converter(output, relation, path, c.dialect) as Adapt),
    );
  };
  if (family === 'json' && JSONS.has(lookup))
    return { node: jsonLookup(lhs, [], lookup, given, path), lookup, lhs };
  if (family === 'array' && ARRAYS.has(lookup)) return { node: arrayLookup(lhs, lookup, one()), lookup, lhs };
  const vector = lhs instanceof FuncNode && lhs.name === 'SEARCH_VECTOR';
  if ((lookup === 'search' && (vector || family === 'text')) || (lookup === 'exact' && vector))
    return { node: searchLookup(lhs, one(), vector), lookup, lhs };
  const operator = COMPARE[lookup];
  if (operator !== undefined) {
    if (
      lookup !== 'exact' &&
      (family === 'boolean' || family === 'json' || family === 'binary') &&
      relation === null
    )
      throw unknownLookup(lhs, lookup, path);
    const rhs = one();
    const text =
      family === 'decimal' &&
      !(lookup === 'exact' && rhs instanceof LookupParam && lhs instanceof ColumnNode);
    if (family === 'json')
      return {
        node: new CompareNode([lhs, rhs], (c, [l, r]) => jsonEquals(c, l as string, r as string), true),
        lookup,
        lhs,
      };
    return {
      node: new CompareNode(
        [lhs, rhs],
        (c, [l, r]) =>
          text
            ? `${c.dialect.comparable(l as string, 'decimal')} ${operator} ${c.dialect.comparable(r as string, 'decimal')}`
            : `${l} ${operator} ${r}`,
        true,
      ),
      lookup,
      lhs,
    };
  }
  if (lookup === 'in') {
    if (given.tag === 'subquery' || given.tag === 'nodes') {
      const nodes = given.tag === 'nodes' ? given.nodes : [one()];
      return {
        node: new CompareNode(
          [lhs, ...nodes],
          (_, [l, ...r]) => `${l} IN (${r.map(unwrap).join(',')})`,
          true,
        ),
        lookup,
        lhs,
      };
    }
    const param = new LookupParam(
      given.slot,
      output,
      cached((c) => {
        const each = converter(output, relation, path, c.dialect);
        const wanted = family ?? 'text';
        return ((values: unknown) => {
          if (values === null || typeof values !== 'object' || !(Symbol.iterator in values))
            throw badValue(path, values, 'an array');
          const list: unknown[] = [];
          for (const value of values as Iterable<unknown>) if (value !== null) list.push(each(value));
          return c.dialect.adaptArray(list, wanted);
        }) as Adapt;
      }),
    );
    return {
      node: new CompareNode(
        [lhs, param],
        (c, [l, r]) => c.dialect.inArray(l as string, r as string, family ?? 'text', output?.deconstruct()),
        true,
      ),
      lookup,
      lhs,
    };
  }
  if (lookup === 'range') {
    let sides: Node[];
    if (given.tag === 'nodes') sides = [...given.nodes];
    else if (given.tag === 'range')
      sides = [0, 1].map(
        (i) =>
          new LookupParam(
            given.slot + i,
            output,
            cached((c) => converter(output, relation, path, c.dialect) as Adapt),
          ),
      );
    else throw badValue(path, given.tag, 'an array of two');
    return {
      node: new CompareNode(
        [lhs, ...sides],
        (c, [l, a, b]) => {
          const [x, from, to] = [l, a, b].map((s) => c.dialect.comparable(s as string, family));
          return `${x} BETWEEN ${from} AND ${to}`;
        },
        true,
      ),
      lookup,
      lhs,
    };
  }
  const pattern = PATTERNS[lookup];
  if (pattern !== undefined || lookup === 'regex' || lookup === 'iregex') {
    if (family !== 'text' && family !== 'uuid' && family !== null) throw unknownLookup(lhs, lookup, path);
    let rhs: Node;
    if (given.tag === 'nodes' || given.tag === 'subquery') {
      rhs = one();
      if (pattern !== undefined)
        rhs = new FuncNode(
          'pattern',
          [rhs],
          TEXT,
          true,
          ([x]) =>
            `('${pattern[0]}' || REPLACE(REPLACE(REPLACE(${x},'\\','\\\\'),'%','\\%'),'_','\\_') || '${pattern[1]}')`,
        );
    } else {
      const regex = pattern === undefined;
      rhs = new LookupParam(
        given.slot,
        TEXT,
        cached(
          () =>
            ((value: unknown) => {
              if (typeof value !== 'string' || value.includes('\0'))
                throw badValue(path, value, 'text without NUL');
              if (!regex) return pattern[0] + likeEscape(value) + pattern[1];
              return checkedRegex(value, path);
            }) as Adapt,
        ),
      );
    }
    return {
      node: new CompareNode(
        [lhs, rhs],
        (c, [l, r]) => c.dialect.textLookup(lookup, l as string, r as string, family ?? 'text'),
        true,
      ),
      lookup,
      lhs,
    };
  }
  if (relation !== null && rest.length > 0)
    throw fault('SBY_DB_UNKNOWN_FIELD', {
      model: relation.label,
      path,
      name: rest[0] as string,
      known: [...relation.fields.keys()],
    });
  lookup = rest.at(-1) ?? lookup;
  lhs = found.node;
  throw unknownLookup(lhs, lookup, path);
}

/** `document @@ question`: a text is read as either. */
function searchLookup(lhs: Node, rhs: Node, vector: boolean): Node {
  const query = rhs instanceof FuncNode && rhs.name === 'SEARCH_QUERY';
  return new CompareNode(
    [lhs, rhs],
    (c, [l, r]) => {
      if (!c.dialect.features.fullText)
        throw fault('SBY_DB_UNSUPPORTED', {
          what: 'The lookup search',
          engine: c.dialect.vendor,
          fix: 'Use icontains',
        });
      const document = vector ? l : `to_tsvector(COALESCE(${l},''))`;
      return `${document} @@ ${query ? r : `plainto_tsquery(${r})`}`;
    },
    true,
  );
}

function checkedRegex(value: string, path: string): string {
  try {
    new RegExp(value.replace(/^\(\?[ims]+\)/, ''), 'u');
    return value;
  } catch (error) {
    throw badValue(path, value, `a regular expression (${describe((error as Error).message)})`);
  }
}

/** `( … )` of a subquery stands inside the parentheses of IN already. */
const unwrap = (sql: string): string =>
  sql.startsWith('(SELECT') && sql.endsWith(')') ? sql.slice(1, -1) : sql;

/** A subquery whose text is known when it is compiled. */
export class SubNode extends FuncNode {
  constructor(sql: (c: Compiler) => string, children: readonly Node[], output: ValueField | null = null) {
    super('subquery', children, output, false, (_, c) => `(${sql(c)})`);
  }
  override sql(c: Compiler): string {
    return c.lift === null ? super.sql(c) : c.lift.column(this);
  }
  override groupBy(): readonly Node[] {
    return this.children.flatMap((child) => child.groupBy());
  }
}

export function isNull(lhs: Node, yes: boolean): Node {
  return new CompareNode([lhs], (_, [x]) => `${x} IS ${yes ? '' : 'NOT '}NULL`, !yes);
}

function jsonEquals(c: Compiler, left: string, right: string): string {
  return c.dialect.features.arrays ? `${left} = ${right}::jsonb` : `JSON(${left}) = JSON(${right})`;
}

function arrayLookup(lhs: Node, lookup: string, rhs: Node): Node {
  const operators: Record<string, string> = { contains: '@>', contained_by: '<@', overlap: '&&' };
  return new CompareNode(
    [lhs, rhs],
    (c, [l, r]) => {
      if (c.dialect.features.arrays) return `${l} ${operators[lookup]} ${r}`;
      const inside = (a: string, b: string): string =>
        `EXISTS (SELECT 1 FROM json_each(${a}) x WHERE x.value IN (SELECT value FROM json_each(${b})))`;
      const outside = (a: string, b: string): string =>
        `NOT EXISTS (SELECT 1 FROM json_each(${a}) x WHERE x.value NOT IN (SELECT value FROM json_each(${b})))`;
      if (lookup === 'overlap') return inside(l as string, r as string);
      return lookup === 'contains' ? outside(r as string, l as string) : outside(l as string, r as string);
    },
    true,
  );
}

/** Lookups on a JSON value or on what stands at a path in it. */
function jsonLookup(base: Node, path: readonly string[], lookup: string, given: Given, where: string): Node {
  const at = (c: Compiler, x: string, as: 'json' | 'text'): string =>
    path.length === 0 ? x : c.dialect.jsonPath(x, path, as);
  if (given.tag === 'null') {
    if (lookup !== 'exact') throw badValue(where, null, 'no null; write isnull: true');
    return new CompareNode([base], (c, [x]) => jsonEquals(c, at(c, x as string, 'json'), "'null'"), true);
  }
  if (lookup === 'isnull') {
    if (given.tag !== 'flag') throw badValue(where, given.tag, 'true or false');
    // A key that is there and holds null is not "null": the key is absent, as in Django.
    return new CompareNode(
      [base],
      (c, [x]) => `${at(c, x as string, 'json')} IS ${given.value ? '' : 'NOT '}NULL`,
      !given.value,
    );
  }
  if (given.tag === 'flag') throw badValue(where, given.value, 'another value');
  const operator = COMPARE[lookup];
  if (given.tag === 'nodes' && operator !== undefined)
    return new CompareNode(
      [base, ...given.nodes],
      (c, [l, r]) =>
        c.dialect.features.arrays
          ? `${at(c, l as string, 'json')} ${operator} TO_JSONB(${r})`
          : `${path.length === 0 ? l : at(c, l as string, 'text')} ${operator} ${r}`,
      true,
    );
  if (given.tag === 'range' || given.tag === 'subquery' || given.tag === 'nodes')
    throw badValue(where, given.tag, 'a value');
  const { slot } = given;
  const raw = (convert: (value: unknown) => unknown): Node =>
    new LookupParam(
      slot,
      null,
      cached(() => convert as Adapt),
    );
  const asJson = (value: unknown): string => {
    if (!JSON_VALUE.spec.accepts(value, {})) throw badValue(where, value, JSON_VALUE.spec.expected({}));
    return JSON.stringify(value);
  };
  const text = (value: unknown): string => {
    if (typeof value !== 'string' || value.includes('\0')) throw badValue(where, value, 'text without NUL');
    return value;
  };
  if (lookup === 'exact')
    return new CompareNode(
      [base, raw(asJson)],
      (c, [l, r]) => jsonEquals(c, at(c, l as string, 'json'), r as string),
      true,
    );
  if (lookup === 'in')
    return new CompareNode(
      [base, raw((values) => JSON.stringify(values))],
      (c, [l, r]) =>
        c.dialect.features.arrays
          ? `${at(c, l as string, 'json')} IN (SELECT jsonb_array_elements(${r}::jsonb))`
          : `JSON(${at(c, l as string, 'json')}) IN (SELECT json_quote(value) FROM json_each(${r}))`,
      true,
    );
  if (operator !== undefined) {
    const number = (value: unknown): unknown => {
      if (typeof value !== 'number' && typeof value !== 'string')
        throw badValue(where, value, 'a number or text');
      return JSON.stringify(value);
    };
    return new CompareNode(
      [base, raw(number)],
      (c, [l, r]) =>
        c.dialect.features.arrays
          ? `${at(c, l as string, 'json')} ${operator} ${r}::jsonb`
          : `${at(c, l as string, 'text')} ${operator} (${r}->>'$')`,
      true,
    );
  }
  const pattern = PATTERNS[lookup];
  // contains is about JSON, on a key too.
  if (pattern !== undefined && lookup !== 'contains')
    return new CompareNode(
      [base, raw((value) => pattern[0] + likeEscape(text(value)) + pattern[1])],
      (c, [l, r]) => c.dialect.textLookup(lookup, at(c, l as string, 'text'), r as string, 'text'),
      true,
    );
  if (lookup === 'regex' || lookup === 'iregex')
    return new CompareNode(
      [base, raw((value) => checkedRegex(text(value), where))],
      (c, [l, r]) => c.dialect.textLookup(lookup, at(c, l as string, 'text'), r as string, 'text'),
      true,
    );
  if (lookup === 'has_key')
    return new CompareNode(
      [base, raw(text)],
      (c, [l, r]) =>
        c.dialect.features.arrays
          ? `${at(c, l as string, 'json')} ? ${r}`
          : `EXISTS (SELECT 1 FROM json_each(${at(c, l as string, 'json')}) x WHERE CAST(x.key AS TEXT)=${r})`,
      true,
    );
  if (lookup === 'has_keys' || lookup === 'has_any_keys') {
    const all = lookup === 'has_keys';
    return new CompareNode(
      [base, raw((values) => JSON.stringify((values as unknown[]).map(text)))],
      (c, [l, r]) => {
        const x = at(c, l as string, 'json');
        if (c.dialect.features.arrays) {
          const keys = `ARRAY(SELECT jsonb_array_elements_text(${r}::jsonb))`;
          return `${x} ${all ? '?&' : '?|'} ${keys}`;
        }
        // A scalar gives one row, without a key.
        const known = `(SELECT CAST(x.key AS TEXT) FROM json_each(${x}) x WHERE x.key IS NOT NULL)`;
        return all
          ? `NOT EXISTS (SELECT 1 FROM json_each(${r}) k WHERE k.value NOT IN ${known})`
          : `EXISTS (SELECT 1 FROM json_each(${r}) k WHERE k.value IN ${known})`;
      },
      true,
    );
  }
  if (lookup === 'contains' || lookup === 'contained_by')
    return new CompareNode(
      [base, raw(asJson)],
      (c, [l, r]) => {
        if (!c.dialect.features.arrays) {
          const x = at(c, l as string, 'json');
          return lookup === 'contains'
            ? `sobaya_json_contains(${x},${r})`
            : `sobaya_json_contains(${r},${x})`;
        }
        return `${at(c, l as string, 'json')} ${lookup === 'contains' ? '@>' : '<@'} ${r}::jsonb`;
      },
      true,
    );
  throw fault('SBY_DB_UNKNOWN_LOOKUP', { path: where, lookup, field: label(base), known: lookupsOf('json') });
}
