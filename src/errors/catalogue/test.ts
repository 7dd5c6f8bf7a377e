/** Errors of the room `test`. */
export const testErrors = {};
