/** Errors of the room `urls`. */
export const urlsErrors = {};
