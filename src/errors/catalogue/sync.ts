/** Errors of the room `sync`. */
export const syncErrors = {};
