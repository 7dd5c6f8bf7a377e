/** Errors of the room `cli`. */
export const cliErrors = {};
