/**
 * Writes down what happens and when, and draws it: one lane per customer, time from left to right.
 *
 *     timeline.begin('customer 1', 'reads the menu');   … later …   timeline.end('customer 1', 'orders kake');
 */
interface Stretch {
  readonly lane: string;
  readonly mark: string;
  readonly from: number;
  to: number | null;
}

const WIDTH = 60;

export class Timeline {
  readonly #began = performance.now();
  readonly #stretches: Stretch[] = [];
  readonly #lanes = new Set<string>();

  constructor(title: string) {
    console.log(`\n${title}\n${'─'.repeat(title.length)}`);
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return performance.now() - this.#began;
  }

  say(lane: string, text: string): void {
    console.log(`${`${Math.round(this.now)} ms`.padStart(8)}  ${lane.padEnd(12)} ${text}`);
  }

  /** Something begins in a lane. It is drawn with `mark`: ░ for waiting, █ for standing in everybody's way. */
  begin(lane: string, text: string, mark: '░' | '█' = '░'): void {
    this.say(lane, text);
    this.#lanes.add(lane);
    this.#stretches.push({ lane, mark, from: this.now, to: null });
  }

  end(lane: string, text: string): void {
    this.say(lane, text);
    const open = this.#stretches.findLast((stretch) => stretch.lane === lane && stretch.to === null);
    if (open !== undefined) open.to = this.now;
  }

  /** A point in time, drawn but not printed. */
  tick(lane: string): void {
    this.#lanes.add(lane);
    this.#stretches.push({ lane, mark: '·', from: this.now, to: this.now });
  }

  draw(): void {
    const total = this.now;
    const column = (ms: number): number => Math.min(WIDTH - 1, Math.floor((ms / total) * WIDTH));
    console.log();
    for (const lane of this.#lanes) {
      const cells: string[] = Array(WIDTH).fill(' ');
      for (const { lane: of, mark, from, to } of this.#stretches)
        if (of === lane) cells.fill(mark, column(from), column(to ?? total) + 1);
      console.log(`          ${lane.padEnd(12)} ${cells.join('')}|`);
    }
    console.log(`          ${''.padEnd(12)} 0${`${Math.round(total)} ms`.padStart(WIDTH - 1)}`);
  }
}
