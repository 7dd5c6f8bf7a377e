/** Errors of the room `xray`. */
export const xrayErrors = {};
