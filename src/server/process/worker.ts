import type { Socket } from 'node:net';
import { JsonLog } from '../log.ts';
import type { Gathered } from '../operations/metrics.ts';
import type { Server } from '../server.ts';
import { isMessage, type SupervisorMessage, type WorkerMessage } from './messages.ts';
import { watchForBlocks } from './stuck-watch.ts';

export interface WorkerOptions {
  /** Ask to be replaced after so many requests; 0 never. A random part of `jitter` is added. */
  readonly limitMaxRequests?: number;
  readonly limitMaxRequestsJitter?: number;
  /** Ask to be replaced at this age in ms (plus up to a tenth); 0 never. */
  readonly limitMaxAge?: number;
  /** Ask to be replaced when the resident memory is above this many bytes (less up to a tenth); 0 never. */
  readonly limitMaxRss?: number;
  /** End the process when its loop was blocked for this many ms; 0 never. */
  readonly timeoutStuck?: number;
}

/** Serves as a supervised worker: tells that it is ready, stops when told to, asks to be replaced in time. */
export async function workUntilStopped(server: Server, options: WorkerOptions = {}): Promise<void> {
  const tell = (message: WorkerMessage): void => {
    if (process.connected) process.send?.(message);
  };
  const scrapes = new Map<number, (gathered: Gathered) => void>();
  let scraped = 0;
  let asked = false;
  const recycle = (why: string): void => {
    if (asked) return;
    asked = true;
    tell({ sobaya: 'recycle', why });
  };
  // The terminal signals the whole group; stopping is the supervisor's to order.
  const ignore = (): void => {};
  process.on('SIGINT', ignore).on('SIGHUP', ignore);
  const stop = (): void => void server.close();
  process.on('SIGTERM', stop);
  process.on('message', (message: unknown, handle: unknown) => {
    if (!isMessage<SupervisorMessage>(message)) return;
    if (message.sobaya === 'connection') {
      tell({ sobaya: 'accepted', id: message.id });
      // Undefined when the client has gone meanwhile.
      if (handle !== undefined && handle !== null) server.accept(handle as Socket);
      return;
    }
    if (message.sobaya === 'stop') void server.close({ drain: message.drain });
    else if (message.sobaya === 'leave') server.leave();
    else if (message.sobaya === 'report')
      tell({ sobaya: 'report', id: message.id, snapshot: server.metrics() });
    else if (message.sobaya === 'metrics') {
      scrapes.get(message.id)?.(message.gathered);
      scrapes.delete(message.id);
    } else server.dump();
  });
  server.gatherMetricsWith(() => {
    return new Promise((resolve) => {
      scrapes.set(++scraped, resolve);
      tell({ sobaya: 'scrape', id: scraped });
    });
  });
  // Without its supervisor nobody would stop this process.
  process.on('disconnect', stop);

  const {
    limitMaxRequests = 0,
    limitMaxRequestsJitter = 0,
    limitMaxAge = 0,
    limitMaxRss = 0,
    timeoutStuck = 0,
  } = options;
  if (limitMaxRequests > 0) {
    const limit = limitMaxRequests + Math.floor(Math.random() * (limitMaxRequestsJitter + 1));
    server.onRequestCount(limit, () => recycle(`it has served ${limit} requests`));
  }
  const timers: NodeJS.Timeout[] = [];
  if (limitMaxAge > 0) {
    const age = limitMaxAge * (1 + Math.random() / 10);
    timers.push(setTimeout(() => recycle(`it is ${Math.round(age / 1000)} s old`), age));
  }
  if (limitMaxRss > 0) {
    const limit = limitMaxRss * (1 - Math.random() / 10);
    timers.push(
      setInterval(() => {
        const rss = process.memoryUsage.rss();
        if (rss > limit) recycle(`its memory has grown to ${Math.round(rss / 1048576)} MiB`);
      }, 1000),
    );
  }
  for (const timer of timers) timer.unref();
  const watch = timeoutStuck > 0 ? watchForBlocks(timeoutStuck, server.log instanceof JsonLog) : null;
  tell({ sobaya: 'ready' });
  await server.closed;
  if (server.options.metricsPath !== null) tell({ sobaya: 'report', id: 0, snapshot: server.metrics() });
  await watch?.stop();
  for (const timer of timers) clearTimeout(timer);
  process.off('SIGINT', ignore).off('SIGHUP', ignore).off('SIGTERM', stop);
  if (process.connected) process.disconnect?.();
}
