import { Context, Drop, toPromise } from 'liquidjs';
import { markSafe } from './safe.ts';

interface SuperBlock {
  readonly superBlockRender: unknown;
  super(): Iterator<unknown>;
}

/** More than any page nests; a tree of comments 100 deep takes 200. */
const MAX_DEPTH = 300;

/** Own data, and getters that a class declares; never methods, never what every object inherits. */
function readable(target: object, key: PropertyKey): unknown {
  if (Object.hasOwn(target, key)) return (target as Record<PropertyKey, unknown>)[key];
  for (
    let proto: object | null = Object.getPrototypeOf(target);
    proto !== null;
    proto = Object.getPrototypeOf(proto)
  ) {
    if (proto === Object.prototype) return undefined;
    const descriptor = Object.getOwnPropertyDescriptor(proto, key);
    if (descriptor !== undefined)
      return descriptor.get === undefined || key === '__proto__' ? undefined : descriptor.get.call(target);
  }
  return undefined;
}

/**
 * What templates see of the values given to them: own properties, getters of classes, entries of Maps, `size`, `first`,
 * `last`. They cannot call methods, so no template deletes a row, and cannot reach constructors or prototypes.
 */
export class TemplateContext extends Context {
  #depth = 0;

  // Loops, includes and layouts push; without a limit, a template that includes itself fills the memory.
  override push(scope: object): number {
    const length = super.push(scope);
    this.#checkDepth(length);
    return length;
  }

  #checkDepth(length: number): void {
    if (this.#depth + length > MAX_DEPTH)
      throw new Error(
        `more than ${MAX_DEPTH} templates and loops inside each other: does it include itself?`,
      );
  }

  override readProperty(target: unknown, key: unknown): never {
    // Drops are the engine's own, such as forloop.
    if (target instanceof Drop && !('superBlockRender' in target))
      return super.readProperty(target, key as never) as never;
    return read(target, key) as never;
  }

  override spawn(scope: object = {}): TemplateContext {
    const inner = new TemplateContext(
      scope,
      this.opts,
      { sync: this.sync, globals: this.globals, strictVariables: this.strictVariables },
      { renderLimit: this.renderLimit, memoryLimit: this.memoryLimit, liquid: this.liquid as never },
    );
    inner.#depth = this.#depth + 1;
    inner.#checkDepth(0);
    return inner;
  }
}

function read(target: unknown, key: unknown): unknown {
  if (target === null || target === undefined) return target;
  if (typeof target === 'string') return key === 'size' ? target.length : undefined;
  if (typeof target !== 'object') return undefined;
  if ('superBlockRender' in target && key === 'super')
    return toPromise((target as SuperBlock).super() as never).then((html) => markSafe(String(html)));
  if (Array.isArray(target)) {
    if (typeof key === 'number' || /^-?\d+$/.test(String(key))) return target.at(Number(key));
    if (key === 'size') return target.length;
    if (key === 'first') return target[0];
    if (key === 'last') return target.at(-1);
  }
  if (target instanceof Map && target.has(key)) return settle(target.get(key));
  if (typeof key !== 'string' && typeof key !== 'number') return undefined;
  const value = readable(target, key);
  if (typeof value === 'function') return undefined;
  if (value === undefined && key === 'size' && !(target instanceof Map || target instanceof Set))
    return Object.keys(target).length;
  return settle(value);
}

/** Async iterables become arrays; promises are awaited by the engine. */
function settle(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (typeof (value as { then?: unknown }).then === 'function') return value;
  return Symbol.asyncIterator in value ? Array.fromAsync(value as AsyncIterable<unknown>) : value;
}
