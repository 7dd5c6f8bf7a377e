/** Errors of the room `postgresql`. */
export const postgresqlErrors = {};
