import { spawn } from 'node:child_process';

/**
 * Tells systemd (Type=notify, Type=notify-reload) how the service is; nothing where systemd did not start it. Node has
 * no datagram unix sockets, systemd-notify has; for its messages to be heard the unit says NotifyAccess=all.
 */
export function notifySystemd(...states: string[]): void {
  if (!process.env['NOTIFY_SOCKET']) return;
  const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...states], {
    stdio: 'ignore',
    detached: true,
  });
  child.on('error', () => {});
  child.unref();
}

/** The service reads its configuration again; READY=1 follows when it has. */
export function notifyReloading(): void {
  notifySystemd('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
}

/** Keeps systemd's watchdog (WatchdogSec=) quiet as long as the loop of this process turns. */
export function keepWatchdogQuiet(
  env: NodeJS.ProcessEnv = process.env,
  pid: number = process.pid,
): () => void {
  const microseconds = Number(env['WATCHDOG_USEC']);
  const meant = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(pid);
  if (!(microseconds > 0) || !meant) return () => {};
  const timer = setInterval(() => notifySystemd('WATCHDOG=1'), Math.max(1, microseconds / 2000));
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * The file descriptor that socket activation passed on (sd_listen_fds(3)), or null. Takes the variables away: what
 * this process starts is not meant.
 */
export function activatedSocket(
  env: NodeJS.ProcessEnv = process.env,
  pid: number = process.pid,
): number | null {
  if (env['LISTEN_PID'] !== String(pid)) return null;
  const count = Number(env['LISTEN_FDS']);
  delete env['LISTEN_PID'];
  delete env['LISTEN_FDS'];
  delete env['LISTEN_FDNAMES'];
  if (!Number.isInteger(count) || count < 1) return null;
  if (count > 1)
    process.stderr.write(`warning: ${count} sockets were passed on, and only the first is listened on\n`);
  return 3;
}
