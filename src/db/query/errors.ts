import { catalogue, MultipleObjectsReturned, ObjectDoesNotExist } from '../../errors/index.ts';
import type { Meta } from '../model/meta.ts';

type Class = typeof ObjectDoesNotExist | typeof MultipleObjectsReturned;
const classes = new WeakMap<
  Meta,
  { missing: typeof ObjectDoesNotExist; several: typeof MultipleObjectsReturned }
>();

/** The model's own subclasses: `Article.DoesNotExist`. */
export function errorClasses(meta: Meta): {
  missing: typeof ObjectDoesNotExist;
  several: typeof MultipleObjectsReturned;
} {
  let found = classes.get(meta);
  if (found === undefined) {
    const name = <C extends Class>(base: C, text: string): C => {
      const made = class extends (base as typeof ObjectDoesNotExist) {};
      Object.defineProperty(made, 'name', { value: text });
      return made as unknown as C;
    };
    const above = meta.above === null ? null : errorClasses(meta.above);
    found = {
      missing: name(above?.missing ?? ObjectDoesNotExist, `${meta.name}.DoesNotExist`),
      several: name(above?.several ?? MultipleObjectsReturned, `${meta.name}.MultipleObjectsReturned`),
    };
    classes.set(meta, found);
  }
  return found;
}

export function doesNotExist(meta: Meta, query: string): Error {
  const code = 'SBY_DB_DOES_NOT_EXIST';
  return new (errorClasses(meta).missing)({ code, ...catalogue[code].parts({ model: meta.label, query }) });
}

export function multipleObjects(meta: Meta, count: string, query: string): Error {
  const code = 'SBY_DB_MULTIPLE_OBJECTS';
  return new (errorClasses(meta).several)({
    code,
    ...catalogue[code].parts({ model: meta.label, count, query }),
  });
}
