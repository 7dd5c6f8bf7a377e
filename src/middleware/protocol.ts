import type { AnyResponse } from '../http/index.ts';

/** Goes on with a response when it is there: at once where nothing is awaited, so that a layer costs no promise. */
export function andThen(
  given: AnyResponse | Promise<AnyResponse>,
  fn: (response: AnyResponse) => AnyResponse | Promise<AnyResponse>,
): AnyResponse | Promise<AnyResponse> {
  return given instanceof Promise ? given.then(fn) : fn(given);
}
