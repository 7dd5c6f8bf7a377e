/** The date as it stands still: `Date.now()` and `new Date()`. Timers go on; for those see `virtualClock`. */
export interface FrozenTime extends Disposable {
  /** Moves on by `ms`. */
  tick(ms: number): void;
  /** Moves to a date. */
  moveTo(at: Date | string | number): void;
  /** Lets time run again. */
  release(): void;
}

/** Stops the calendar: `using time = freezeTime('2026-11-24T09:00:00Z')`. */
export function freezeTime(at: Date | string | number = Date.now()): FrozenTime {
  const RealDate = globalThis.Date;
  let now = new RealDate(at).getTime();
  if (Number.isNaN(now)) throw new RangeError(`freezeTime: ${String(at)} is no date`);
  const FrozenDate: DateConstructor = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(
        target,
        args.length === 0 ? [now] : args,
        newTarget === FrozenDate ? target : newTarget,
      ) as object,
    apply: () => new RealDate(now).toString(),
    get: (target, key) => (key === 'now' ? () => now : Reflect.get(target, key)),
  });
  globalThis.Date = FrozenDate;
  const release = (): void => {
    if (globalThis.Date === FrozenDate) globalThis.Date = RealDate;
  };
  return {
    tick: (ms) => void (now += ms),
    moveTo: (to) => void (now = new RealDate(to).getTime()),
    release,
    [Symbol.dispose]: release,
  };
}
