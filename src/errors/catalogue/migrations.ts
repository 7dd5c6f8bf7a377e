/** Errors of the room `migrations`. */
export const migrationsErrors = {};
