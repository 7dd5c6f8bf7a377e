/** Errors of the room `templates`. */
export const templatesErrors = {};
