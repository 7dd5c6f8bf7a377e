/** Testing applications. */
export {
  Client,
  type ClientOptions,
  requestScope,
  type ScopeOptions,
  type TestRequestOptions,
} from './client.ts';
export { CookieStore } from './cookie-store.ts';
export type { FilePayload, Payload } from './payload.ts';
export { StreamedResponse, TestResponse } from './response.ts';
export { VirtualClock, type VirtualClockOptions, virtualClock } from './virtual-clock.ts';
export { TestWebSocket } from './websocket.ts';
