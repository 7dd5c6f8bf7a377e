/** Errors of the room `middleware`. */
export const middlewareErrors = {};
