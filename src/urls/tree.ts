import { type Leaf, matchLeaf, valuesOf } from './leaves.ts';
import { longestPath, segmentsOf, type Token, tokensToRegex } from './route.ts';

export interface Match {
  readonly leaf: Leaf;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A parameter, or text and parameters mixed, in one segment. */
interface SegmentBranch {
  readonly source: string;
  readonly regex: RegExp;
  /** `[^/]+`: everything but the empty segment; saves running an expression. */
  readonly any: boolean;
  /** One parameter and nothing else: the segment is its text. */
  readonly whole: boolean;
  readonly longest: number;
  readonly node: Node;
}

class Node {
  readonly texts = new Map<string, Node>();
  readonly branches: SegmentBranch[] = [];
  /** Routes that end here. */
  readonly ends: Leaf[] = [];
  /** Routes whose rest, from here, can hold slashes: matched as a whole. */
  readonly tails: Leaf[] = [];
  /** The earliest route at or below this node: no need to look when an earlier one has matched. */
  first = Number.POSITIVE_INFINITY;
}

const noParams: Readonly<Record<string, unknown>> = Object.freeze({});

/**
 * Finds the first route, in the order of definition, that matches. A tree over segments holds the candidates, so
 * the cost depends on the length of the path and not on the number of routes; routes without parameters are one
 * look into a map.
 */
export class RouteTree {
  readonly #root = new Node();
  readonly #fixed = new Map<string, Match>();
  // State of one match; matching is synchronous and never re-entered.
  readonly #texts: string[] = [];
  #path = '';
  #best: Leaf | null = null;
  #params: Record<string, unknown> | null = null;

  constructor(leaves: readonly Leaf[]) {
    for (const leaf of leaves) this.#add(leaf);
    for (const leaf of leaves) {
      if (leaf.tail !== null || leaf.params.length > 0) continue;
      const path = `/${leaf.tokens.join('')}`;
      const match = this.#search(path);
      // What comes first may have parameters; a converter may change its mind, so only fixed winners are kept.
      if (match !== null && match.leaf.params.length === 0 && match.leaf.tail === null)
        this.#fixed.set(path, match);
    }
  }

  /** `path` begins with a slash. */
  match(path: string): Match | null {
    return this.#fixed.get(path) ?? this.#search(path);
  }

  #add(leaf: Leaf): void {
    let node = this.#root;
    node.first = Math.min(node.first, leaf.index);
    const segments = segmentsOf(leaf.tokens);
    // The last segment of a prefix before a regular expression is not a whole segment.
    if (leaf.tail !== null && segments[segments.length - 1] !== null) segments[segments.length - 1] = null;
    for (const segment of segments) {
      if (segment === null) {
        node.tails.push(leaf);
        return;
      }
      node = child(node, segment);
      node.first = Math.min(node.first, leaf.index);
    }
    node.ends.push(leaf);
  }

  #search(path: string): Match | null {
    if (path.charCodeAt(0) !== 0x2f) return null;
    this.#path = path;
    this.#best = null;
    this.#walk(this.#root, 1, 0);
    const leaf = this.#best as Leaf | null;
    if (leaf === null) return null;
    const params = this.#params ?? noParams;
    this.#params = null;
    return { leaf, params };
  }

  #walk(node: Node, from: number, depth: number): void {
    const path = this.#path;
    for (const leaf of node.tails) {
      if (this.#best !== null && leaf.index > this.#best.index) break;
      const params = matchLeaf(leaf, path.slice(1));
      if (params !== null) this.#take(leaf, params);
    }
    if (from > path.length) {
      for (const leaf of node.ends) {
        if (this.#best !== null && leaf.index > this.#best.index) break;
        if (leaf.params.length === 0) this.#take(leaf, null);
        else if (path.length <= leaf.longest) {
          const params = valuesOf(leaf, this.#texts, 0);
          if (params !== null) this.#take(leaf, params);
        }
      }
      return;
    }
    let to = path.indexOf('/', from);
    if (to === -1) to = path.length;
    const segment = path.slice(from, to);
    const next = node.texts.get(segment);
    if (next !== undefined && this.#worth(next)) this.#walk(next, to + 1, depth);
    for (const branch of node.branches) {
      if (!this.#worth(branch.node)) continue;
      if (branch.whole) {
        if (branch.any ? segment === '' : !branch.regex.test(segment)) continue;
        this.#texts[depth] = segment;
        this.#walk(branch.node, to + 1, depth + 1);
      } else {
        if (path.length > branch.longest) continue;
        const found = branch.regex.exec(segment);
        if (found === null) continue;
        for (let index = 1; index < found.length; index++) this.#texts[depth + index - 1] = found[index]!;
        this.#walk(branch.node, to + 1, depth + found.length - 1);
      }
    }
  }

  #worth(node: Node): boolean {
    return this.#best === null || node.first < this.#best.index;
  }

  #take(leaf: Leaf, params: Record<string, unknown> | null): void {
    if (this.#best !== null && this.#best.index <= leaf.index) return;
    this.#best = leaf;
    this.#params = params;
  }
}

function child(node: Node, segment: readonly Token[]): Node {
  const [only] = segment;
  if (segment.length === 0 || (segment.length === 1 && typeof only === 'string')) {
    const text = (only as string | undefined) ?? '';
    let next = node.texts.get(text);
    if (next === undefined) node.texts.set(text, (next = new Node()));
    return next;
  }
  const source = tokensToRegex(segment);
  let branch = node.branches.find((candidate) => candidate.source === source);
  if (branch === undefined) {
    const whole = segment.length === 1;
    branch = {
      source,
      regex: new RegExp(`^${source}$`, 's'),
      any: whole && source === '([^/]+)',
      whole,
      longest: longestPath(segment),
      node: new Node(),
    };
    node.branches.push(branch);
  }
  return branch.node;
}
