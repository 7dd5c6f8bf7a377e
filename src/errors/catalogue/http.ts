/** Errors of the room `http`. */
export const httpErrors = {};
