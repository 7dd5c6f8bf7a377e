import type { Middleware } from '../http/index.ts';
import { processing } from './protocol.ts';

/** Refuses every request whose Host is not allowed (createApp's `allowedHosts`), also where no view asks for it. */
export function hostCheck(): Middleware {
  return processing('hostCheck', {
    processRequest(request) {
      // Reading checks.
      void request.host;
    },
  });
}
