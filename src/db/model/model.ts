import type { ModelClass } from '../typing/model.ts';
import { ModelBase, makeBase } from './base.ts';
import type { ModelOptions } from './options.ts';

/** The statics that every model class has; set by statics.ts. */
let equip: (base: typeof ModelBase) => void = () => {};
export function setEquip(fn: typeof equip): void {
  equip = fn;
}
let equipped = false;

/**
 * Makes the class that a model extends: `class Author extends Model({ name: text() }) {}`. Relations are declared in
 * getters, evaluated when the model is first used, so that models may refer to each other in any order.
 */
export function Model<F>(fields: F, options: ModelOptions = {}): ModelClass<F> {
  if (!equipped) {
    equipped = true;
    equip(ModelBase);
  }
  return makeBase(ModelBase, fields as object, options) as unknown as ModelClass<F>;
}

/** `Parent.extend({ … })`. */
export function extend(
  parent: typeof ModelBase,
  fields: object,
  options: ModelOptions = {},
): typeof ModelBase {
  return makeBase(parent, fields, options);
}
