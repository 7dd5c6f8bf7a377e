import type { Application } from '../asgi/index.ts';
import { type ServeOptions, serve, silentLog } from '../server/index.ts';

/** An application on a real socket. */
export interface LiveServer extends AsyncDisposable {
  /** `http://127.0.0.1:54321` */
  readonly url: string;
  close(): Promise<void>;
}

/** For browsers and clients that need a socket: `await using live = await liveServer(application)`. */
export async function liveServer(app: Application, options: ServeOptions = {}): Promise<LiveServer> {
  const server = await serve(app, { port: 0, log: silentLog, ...options });
  const close = async (): Promise<void> => {
    await server.close();
  };
  return { url: server.url.replace(/\/$/, ''), close, [Symbol.asyncDispose]: close };
}
