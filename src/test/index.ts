/** Testing applications. */
export { assertGathered, assertNotBlocked, withWaterfall } from '../xray/index.ts';
export {
  Client,
  type ClientOptions,
  requestScope,
  type ScopeOptions,
  type TestRequestOptions,
} from './client.ts';
export { CookieStore } from './cookie-store.ts';
export { setupDatabases, type TestDatabases } from './databases.ts';
export { type Factory, factory } from './factory.ts';
export { type FrozenTime, freezeTime } from './frozen-time.ts';
export { isolate, runIsolated } from './isolate.ts';
export { type LiveServer, liveServer } from './live-server.ts';
export { assertNoOrphans } from './orphans.ts';
export type { FilePayload, Payload } from './payload.ts';
export { assertNumQueries, captureQueries } from './queries.ts';
export { RequestFactory } from './request-factory.ts';
export { StreamedResponse, TestResponse } from './response.ts';
export { VirtualClock, type VirtualClockOptions, virtualClock } from './virtual-clock.ts';
export { TestWebSocket } from './websocket.ts';
