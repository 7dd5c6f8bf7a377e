/** Errors of the room `application`. */
export const applicationErrors = {};
