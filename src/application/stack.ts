import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Frame {
  readonly call: string;
  /** Absolute; null for code of Node itself. */
  readonly file: string | null;
  /** Relative to the working directory. */
  readonly shown: string;
  readonly line: number;
  readonly column: number;
  /** Of the application: neither Node's, nor a package's, nor ours. */
  readonly own: boolean;
}

export interface SourceLine {
  readonly number: number;
  readonly text: string;
  readonly current: boolean;
}

const here = new URL('..', import.meta.url).pathname;

/** The frames of an error's stack, innermost first. */
export function framesOf(error: Error): Frame[] {
  const frames: Frame[] = [];
  for (const line of (error.stack ?? '').split('\n')) {
    const found =
      /^\s+at (?:(?<call>.+?) \()?(?<place>(?:file:\/\/|node:|\/|[A-Za-z]:\\)[^()]*?):(?<line>\d+):(?<column>\d+)\)?$/.exec(
        line,
      );
    const groups = found?.groups;
    if (groups === undefined) continue;
    const place = groups['place']!;
    let file: string | null = null;
    try {
      file = place.startsWith('file:') ? fileURLToPath(place) : place.startsWith('node:') ? null : place;
    } catch {
      // A path of another system; shown as it is.
    }
    frames.push({
      call: groups['call'] ?? '(anonymous)',
      file,
      shown: file === null ? place : relative(process.cwd(), file) || file,
      line: Number(groups['line']),
      column: Number(groups['column']),
      own: file !== null && !file.includes('/node_modules/') && !file.startsWith(here),
    });
  }
  return frames;
}

/** The lines around a frame; empty when the file cannot be read. */
export function excerpt(frame: Frame, around = 5): SourceLine[] {
  if (frame.file === null) return [];
  let text: string;
  try {
    text = readFileSync(frame.file, 'utf8');
  } catch {
    return [];
  }
  const lines = text.split('\n');
  const from = Math.max(1, frame.line - around);
  const to = Math.min(lines.length, frame.line + around);
  const shown: SourceLine[] = [];
  for (let number = from; number <= to; number++)
    shown.push({ number, text: lines[number - 1]!.slice(0, 400), current: number === frame.line });
  return shown;
}
