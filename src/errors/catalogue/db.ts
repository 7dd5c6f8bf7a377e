/** Errors of the room `db`. */
export const dbErrors = {};
