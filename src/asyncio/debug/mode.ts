import { type BlockedMessage, blockedChannel } from '../channels.ts';
import { hooks } from '../hooks.ts';
import { getRunningLoop } from '../loop.ts';
import { type Scope, setAbandonedHandler } from '../scope.ts';
import { formatCallGraph, treeOf } from '../tree.ts';
import { AwaitWatch } from './awaited.ts';
import { blame, formatBlocked } from './blame.ts';
import { callSite } from './frames.ts';
import { type SlowNative, wrapNatives } from './natives.ts';
import { startWatchdog } from './watchdog.ts';

export interface DebugOptions {
  /** From how many ms on the loop counts as blocked. Default: the loop's `slowCallbackDuration`, 100. */
  readonly threshold?: number | undefined;
  /** Where reports go. Default: standard error. */
  readonly report?: ((text: string) => void) | undefined;
}

let users = 0;
let stopAll: (() => Promise<void>) | null = null;

/** Switches debug mode on; gives what switches it off. Twice on needs twice off. */
export async function startDebugMode(options: DebugOptions = {}): Promise<() => Promise<void>> {
  users++;
  stopAll ??= await start(options);
  let stopped = false;
  return async () => {
    if (stopped) return;
    stopped = true;
    if (--users > 0) return;
    const stop = stopAll;
    stopAll = null;
    await stop?.();
  };
}

async function start(options: DebugOptions): Promise<() => Promise<void>> {
  const loop = getRunningLoop();
  const { threshold = loop.slowCallbackDuration, report = (text: string) => console.error(text) } = options;
  const natives: SlowNative[] = [];
  const unwrap = wrapNatives(threshold / 2, (slow) => {
    natives.push(slow);
    if (natives.length > 100) natives.shift();
  });
  const watchdog = startWatchdog(threshold, (stillstand) => {
    const blocked: BlockedMessage = blame(stillstand, natives);
    natives.length = 0;
    if (blockedChannel.hasSubscribers) blockedChannel.publish(blocked);
    // Without a function, a native call or a task there is nothing to mend: the collector, modules being compiled at a start,
    // or a machine that is busy otherwise. Whoever listens to the channel has heard of it.
    if (blocked.where !== null || blocked.native !== null || blocked.task !== null)
      report(formatBlocked(blocked));
  });
  const awaits = new AwaitWatch(report);
  hooks.site = callSite;
  hooks.watch = awaits.watch;
  hooks.ended = awaits.ended;
  setAbandonedHandler((scope) => report(outlived(scope)));
  loop.markDebug(true);
  await watchdog.ready;
  return async () => {
    awaits.flush();
    hooks.site = hooks.watch = hooks.ended = null;
    setAbandonedHandler(null);
    loop.markDebug(false);
    unwrap();
    await watchdog.stop();
  };
}

function outlived(scope: Scope): string {
  const tree = formatCallGraph([treeOf(scope)]).replaceAll('\n', '\n  ');
  return `Work outlived its scope: it was cancelled and does not end. What waits for a foreign promise can use until() or withSignal()\n  ${tree}`;
}
