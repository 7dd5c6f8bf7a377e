/** Errors of the room `server`. */
export const serverErrors = {};
