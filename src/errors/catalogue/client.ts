/** Errors of the room `client`. */
export const clientErrors = {};
