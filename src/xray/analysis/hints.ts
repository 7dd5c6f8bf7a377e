import type { Site } from '../records.ts';

export type HintRule =
  | 'sequential'
  | 'repeated'
  | 'pool'
  | 'orphan'
  | 'blocked'
  | 'delayed'
  | 'index'
  | 'slow'
  | 'transaction';

/** Something to say about a request: what was seen, what to change, and what x-ray cannot know. */
export interface Hint {
  readonly rule: HintRule;
  /** 3: fix it; 2: worth a look; 1: good to know. */
  readonly weight: 1 | 2 | 3;
  /** One line, with the numbers. */
  readonly title: string;
  readonly text: string;
  /** What this hint cannot know; the reader decides. */
  readonly unknown: string;
  /** About how many ms the request would be quicker; null when that cannot be said. */
  readonly saves: number | null;
  /** Ids of the spans concerned. */
  readonly spans: readonly number[];
  readonly site: Site | null;
  readonly change: { readonly before: string; readonly after: string } | null;
}

/** Gives the text of a line of source, from 1; undefined where it cannot be read. */
export type SourceReader = (file: string, line: number) => string | undefined;

export interface AnalysisOptions {
  /** Least saving, in ms, for which waits in a row are reported. Default: 10. */
  readonly minSaving?: number;
  /** Longest pause, in ms, between two waits in a row; a quarter of the shorter wait (up to 25) is always allowed. Default: 2. */
  readonly gap?: number;
  /** From how many calls of one shape on they are called repeated. Default: 5. */
  readonly repeats?: number;
  /** From how many ms in line for a connection or thread on. Default: 10. */
  readonly poolWait?: number;
  /** Reads source lines to show the change to make. Default: none are shown. */
  readonly source?: SourceReader | undefined;
}

/** 12.3 → "12 ms", 0.42 → "0.4 ms", 2500 → "2.5 s". */
export function ms(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 1000)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 9.95) return `${Math.round(value)} ms`;
  return `${value.toFixed(1)} ms`;
}

export function place(site: Site | null | undefined): string {
  if (site === null || site === undefined) return '';
  return `${site.file.split(/[/\\]/).at(-1)}:${site.line}`;
}

/** A name short enough for a sentence. */
export function brief(name: string, length = 60): string {
  const line = name.replace(/\s+/g, ' ');
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/** "3 times", "a, b and c". */
export function list(parts: readonly string[]): string {
  if (parts.length <= 1) return parts[0] ?? '';
  return `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
