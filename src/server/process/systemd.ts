import { spawn } from 'node:child_process';

/** Tells systemd (Type=notify) how the service is. Node has no datagram unix sockets, systemd-notify has. */
export function notifySystemd(state: string): void {
  if (!process.env['NOTIFY_SOCKET']) return;
  const child = spawn('systemd-notify', ['--pid', String(process.pid), state], {
    stdio: 'ignore',
    detached: true,
  });
  child.on('error', () => {});
  child.unref();
}

/** The file descriptor that socket activation passed on (sd_listen_fds(3)), or null. */
export function activatedSocket(
  env: NodeJS.ProcessEnv = process.env,
  pid: number = process.pid,
): number | null {
  if (env['LISTEN_PID'] !== String(pid)) return null;
  const count = Number(env['LISTEN_FDS']);
  return Number.isInteger(count) && count >= 1 ? 3 : null;
}
