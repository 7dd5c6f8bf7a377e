/**
 * Time as the room sees it. One place, so that tests can put a clock of their own behind every sleep and
 * deadline (`test.virtualClock`).
 */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  setTimer(callback: () => void, ms: number): object;
  clearTimer(timer: object): void;
}

/** Node's timers run after 1 ms when told to wait longer than this. */
const longest = 2 ** 31 - 1;

class LongTimer {
  current: NodeJS.Timeout;
  constructor(callback: () => void, ms: number) {
    const step = (left: number): NodeJS.Timeout =>
      setTimeout(
        () => {
          if (left <= longest) callback();
          else this.current = step(left - longest);
        },
        Math.min(left, longest),
      );
    this.current = step(ms);
  }
}

let virtual: Clock | null = null;

export type Timer = object;

export function now(): number {
  return virtual === null ? performance.now() : virtual.now();
}

let turn = 0;
let known = false;
function forget(): void {
  known = false;
}

/** `now()` as it was when it was first asked for in this turn of the loop: for stamps, at a tenth of the cost. */
export function turnTime(): number {
  if (virtual !== null) return virtual.now();
  if (!known) {
    known = true;
    turn = performance.now();
    setImmediate(forget);
  }
  return turn;
}

export function startTimer<A>(callback: (argument: A) => void, ms: number, argument?: A): Timer {
  if (virtual !== null) return virtual.setTimer(() => callback(argument as A), ms);
  if (ms > longest) return new LongTimer(() => callback(argument as A), ms);
  return setTimeout(callback as (argument?: A) => void, ms, argument);
}

export function stopTimer(timer: Timer | undefined): void {
  if (timer === undefined) return;
  if (virtual !== null) virtual.clearTimer(timer);
  else clearTimeout((timer instanceof LongTimer ? timer.current : timer) as NodeJS.Timeout);
}

/** For tests: replaces the clock, null puts the real one back. Gives the one that was there. */
export function setClock(clock: Clock | null): Clock | null {
  const before = virtual;
  virtual = clock;
  return before;
}
