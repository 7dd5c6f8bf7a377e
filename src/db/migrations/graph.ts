/** Migrations and what they depend on. Their order comes from their content alone: there is no journal to fight over. */
import { fault } from '../../errors/index.ts';
import type { Migration } from './migration.ts';
import { ProjectState } from './state.ts';

interface Node {
  readonly migration: Migration;
  readonly parents: Set<string>;
  readonly children: Set<string>;
}

export class MigrationGraph {
  readonly #nodes = new Map<string, Node>();
  #missing: { readonly child: string; readonly parent: string }[] = [];

  add(migration: Migration): void {
    this.#nodes.set(migration.key, { migration, parents: new Set(), children: new Set() });
  }

  has(key: string): boolean {
    return this.#nodes.has(key);
  }

  get(key: string): Migration {
    return this.#node(key).migration;
  }

  get size(): number {
    return this.#nodes.size;
  }

  migrations(): Migration[] {
    return [...this.#nodes.values()].map((node) => node.migration);
  }

  parentsOf(key: string): string[] {
    return [...this.#node(key).parents];
  }

  /** `child` must come after `parent`. */
  depend(child: string, parent: string): void {
    const from = this.#nodes.get(child);
    if (from === undefined) return;
    const to = this.#nodes.get(parent);
    if (to === undefined) {
      this.#missing.push({ child, parent });
      return;
    }
    from.parents.add(parent);
    to.children.add(child);
  }

  /** Puts a squashed migration in the place of those it replaces. */
  replaceBy(replacement: string, replaced: readonly string[]): void {
    const node = this.#node(replacement);
    const gone = new Set(replaced);
    for (const key of replaced) {
      const old = this.#nodes.get(key);
      if (old === undefined) continue;
      for (const parent of old.parents) {
        this.#nodes.get(parent)?.children.delete(key);
        if (!gone.has(parent) && parent !== replacement) this.depend(replacement, parent);
      }
      for (const child of old.children) {
        this.#nodes.get(child)?.parents.delete(key);
        if (!gone.has(child) && child !== replacement) this.depend(child, replacement);
      }
      this.#nodes.delete(key);
    }
    node.parents.delete(replacement);
    node.children.delete(replacement);
    this.#missing = this.#missing
      .filter((entry) => !gone.has(entry.child))
      .map((entry) => (gone.has(entry.parent) ? { ...entry, parent: replacement } : entry));
  }

  /** Takes a squashed migration out, because some of what it replaces has been applied already. */
  withdraw(replacement: string, replaced: readonly string[]): void {
    const node = this.#node(replacement);
    this.#nodes.delete(replacement);
    const present = replaced.filter((key) => this.#nodes.has(key));
    const last = present.filter(
      (key) => ![...this.#node(key).children].some((child) => present.includes(child)),
    );
    for (const parent of node.parents) this.#nodes.get(parent)?.children.delete(replacement);
    for (const child of node.children) {
      this.#nodes.get(child)?.parents.delete(replacement);
      for (const key of last) if (key !== child) this.depend(child, key);
    }
    this.#missing = this.#missing.filter((entry) => entry.child !== replacement);
  }

  /** Refuses missing parents and cycles, by name. */
  validate(): void {
    const [missing] = this.#missing.filter(
      (entry) => this.#nodes.has(entry.child) && !this.#nodes.has(entry.parent),
    );
    if (missing !== undefined) {
      const app = missing.parent.slice(0, missing.parent.indexOf('.'));
      throw fault('SBY_MIGRATIONS_MISSING_PARENT', {
        ...missing,
        known: [...this.#nodes.values()]
          .filter((node) => node.migration.app === app)
          .map((node) => node.migration.name),
      });
    }
    for (const entry of this.#missing) this.depend(entry.child, entry.parent);
    const state = new Map<string, 'open' | 'done'>();
    for (const start of this.#nodes.keys()) {
      if (state.has(start)) continue;
      const path: { key: string; rest: string[] }[] = [{ key: start, rest: [...this.#node(start).parents] }];
      state.set(start, 'open');
      while (path.length > 0) {
        const top = path.at(-1) as { key: string; rest: string[] };
        const next = top.rest.pop();
        if (next === undefined) {
          state.set(top.key, 'done');
          path.pop();
        } else if (state.get(next) === 'open') {
          const at = path.findIndex((entry) => entry.key === next);
          throw fault('SBY_MIGRATIONS_CYCLE', { path: [...path.slice(at).map((entry) => entry.key), next] });
        } else if (!state.has(next)) {
          state.set(next, 'open');
          path.push({ key: next, rest: [...this.#node(next).parents] });
        }
      }
    }
  }

  /** The migration and everything it needs, parents first. */
  forwards(key: string): string[] {
    return this.#walk([key], (node) => node.parents);
  }

  /** The migration and everything that needs it, children first: the order of taking back. */
  backwards(key: string): string[] {
    return this.#walk([key], (node) => node.children);
  }

  /** All migrations, parents first; ties by app and name, so that the order is the same everywhere. */
  inOrder(): string[] {
    return this.#walk([...this.#nodes.keys()].sort(), (node) => node.parents);
  }

  #walk(start: readonly string[], next: (node: Node) => Set<string>): string[] {
    const seen = new Set<string>();
    const ordered: string[] = [];
    for (const first of start) {
      if (seen.has(first)) continue;
      seen.add(first);
      const path = [{ key: first, rest: [...next(this.#node(first))].sort().reverse() }];
      while (path.length > 0) {
        const top = path.at(-1) as { key: string; rest: string[] };
        const key = top.rest.pop();
        if (key === undefined) {
          ordered.push(top.key);
          path.pop();
        } else if (!seen.has(key)) {
          seen.add(key);
          path.push({ key, rest: [...next(this.#node(key))].sort().reverse() });
        }
      }
    }
    return ordered;
  }

  /** Migrations of an app (or of all) on which no other of the same app depends. */
  leaves(app?: string): string[] {
    return this.#ends(app, (node) => node.children);
  }

  roots(app?: string): string[] {
    return this.#ends(app, (node) => node.parents);
  }

  #ends(app: string | undefined, next: (node: Node) => Set<string>): string[] {
    const ends: string[] = [];
    for (const [key, node] of this.#nodes) {
      if (app !== undefined && node.migration.app !== app) continue;
      if (![...next(node)].some((other) => this.#node(other).migration.app === node.migration.app))
        ends.push(key);
    }
    return ends.sort();
  }

  /** Apps with several leaves: two people added migrations side by side. */
  conflicts(): Map<string, string[]> {
    const byApp = new Map<string, string[]>();
    for (const key of this.leaves()) {
      const { app } = this.get(key);
      byApp.set(app, [...(byApp.get(app) ?? []), key]);
    }
    return new Map([...byApp].filter(([, leaves]) => leaves.length > 1));
  }

  /** The state of the project after these migrations (default: all of them). */
  state(keys: readonly string[] = this.inOrder()): ProjectState {
    const state = new ProjectState();
    for (const key of keys) this.get(key).mutate(state);
    return state;
  }

  #node(key: string): Node {
    const node = this.#nodes.get(key);
    if (node === undefined)
      throw fault('SBY_MIGRATIONS_UNKNOWN', { migration: key, known: [...this.#nodes.keys()] });
    return node;
  }
}
