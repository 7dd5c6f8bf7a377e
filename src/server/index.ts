/** The server: HTTP/1.1 for ASGI applications, on sockets of its own. Behaviour: docs/server-behaviour.md. */
export { type ServerRequestMessage, serverRequestChannel } from './channels.ts';
export { JsonLog, type LogLevel, type ServerLog, silentLog, TextLog } from './log.ts';
export type { ServeOptions } from './options.ts';
export { writePidFile } from './process/pid-file.ts';
export { isSupervised, serveAsWorker, supervise } from './process/processes.ts';
export type { ReloadOptions, SupervisorOptions } from './process/supervisor.ts';
export { activatedSocket, keepWatchdogQuiet, notifyReloading, notifySystemd } from './process/systemd.ts';
export type { WorkerOptions } from './process/worker.ts';
export { RawConnection } from './raw-connection.ts';
export { checkServeOptions, Server, serve } from './server.ts';
