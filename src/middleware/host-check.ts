import type { Middleware } from '../http/index.ts';

/** Refuses every request whose Host is not allowed (createApp's `allowedHosts`), also where no view asks for it. */
export function hostCheck(): Middleware {
  return function hostCheck(getResponse) {
    return (request) => {
      // Reading checks.
      void request.host;
      return getResponse(request);
    };
  };
}
