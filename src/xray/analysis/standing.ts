import type { RequestRecord, SpanRecord } from '../records.ts';
import { type AnalysisOptions, brief, type Hint, list, ms, place } from './hints.ts';

/** Time in line for a connection or a thread. */
export function pool(request: RequestRecord, options: AnalysisOptions): Hint[] {
  const { poolWait = 10 } = options;
  const hints: Hint[] = [];
  const kinds = [
    ['query', 'connection', 'the pool of the database', 'Databases: { max: … }'],
    ['client', 'connection', 'the pool of the client', 'AsyncClient: { limits: … }'],
    ['thread', 'thread', 'the pool of threads', 'syncToAsync: { threadSensitive: false }, or more threads'],
  ] as const;
  for (const [kind, what, name] of kinds) {
    const late = request.spans.filter((span) => span.kind === kind && (span.waited ?? 0) >= poolWait);
    if (late.length === 0) continue;
    const waits = late.map((span) => span.waited ?? 0);
    const longest = Math.max(...waits);
    const total = waits.reduce((sum, wait) => sum + wait, 0);
    const holders = holdersOf(request, late, kind);
    hints.push({
      rule: 'pool',
      weight: longest >= 100 ? 3 : 2,
      title: `${ms(total)} in line for a ${what}`,
      text: `${late.length} of ${request.spans.filter((span) => span.kind === kind).length} ${kind === 'query' ? 'queries' : 'calls'} first waited for ${name}, the longest ${ms(longest)}${place(late[0]?.site) ? ` (${place(late[0]?.site)})` : ''}.${holders}`,
      unknown:
        kind === 'thread'
          ? 'Whether the calls must run in one thread (threadSensitive) only you know.'
          : 'Who held the connections meanwhile is not recorded here: open the requests that ran at the same time, above all their long transactions.',
      saves: longest,
      spans: late.map((span) => span.id),
      site: late[0]?.site ?? null,
      change: null,
    });
  }
  return hints;
}

function holdersOf(request: RequestRecord, late: readonly SpanRecord[], kind: string): string {
  const first = late[0];
  if (first === undefined) return '';
  const until = first.start + (first.waited ?? 0);
  const busy = request.spans.filter(
    (span) =>
      span.kind === kind &&
      span.id !== first.id &&
      span.start < until &&
      (span.end ?? Number.POSITIVE_INFINITY) > first.start,
  );
  if (busy.length < 3) return '';
  return ` This request itself ran ${busy.length} others at that time: mapConcurrent(items, limit, fn) with a limit below the size of the pool keeps it from standing in its own way.`;
}

/** Work that was still going on when the request had ended. */
export function orphans(request: RequestRecord): Hint[] {
  if (request.state === 'running') return [];
  const late = request.spans.filter(
    (span) =>
      span.id !== 0 &&
      span.kind !== 'blocked' &&
      span.start <= request.duration &&
      (span.end === null || span.end > request.duration + 1),
  );
  const inner = new Set(late.map((span) => span.id));
  const roots = late.filter((span) => !inner.has(span.parent));
  if (roots.length === 0) return [];
  const first = roots[0] as SpanRecord;
  return [
    {
      rule: 'orphan',
      weight: 3,
      title: `${roots.length} ${roots.length === 1 ? 'thing' : 'things'} outlived the request`,
      text: `${list(roots.slice(0, 4).map((span) => `“${brief(span.name)}”${place(span.site) ? ` (${place(span.site)})` : ''}`))} ${roots.length === 1 ? 'was' : 'were'} still running when the response was complete: nobody awaited ${roots.length === 1 ? 'it' : 'them'}.`,
      unknown:
        'It may be meant. Then say so with background(fn): it is owned by the program, ended by shutdown, and its failure is reported.',
      saves: null,
      spans: roots.map((span) => span.id),
      site: first.site ?? null,
      change: null,
    },
  ];
}

/** Stretches in which the loop was held: by this request, or by another one in front of it. */
export function blocks(request: RequestRecord): Hint[] {
  const hints: Hint[] = [];
  for (const span of request.spans) {
    if (span.kind !== 'blocked' || span.blocked === undefined) continue;
    const { blocked } = span;
    const took = (span.end ?? span.start) - span.start;
    const inside = Math.max(0, Math.min(span.end ?? span.start, request.duration) - Math.max(0, span.start));
    const what = blocked.native ?? (blocked.functionName ? `${blocked.functionName}()` : 'JavaScript');
    const where = place(span.site) ? ` at ${place(span.site)}` : '';
    const exact = blocked.exact
      ? ''
      : ' The native call could not be interrupted: it is in or just before that line.';
    if (blocked.role === 'culprit') {
      const victims = blocked.victims ?? [];
      hints.push({
        rule: 'blocked',
        weight: 3,
        title: `Held the event loop for ${ms(took)}: ${what}${where}`,
        text: `${blocked.functionName && blocked.native ? `${blocked.functionName}() called ${blocked.native}` : what}${where}${blocked.task ? ` in task “${blocked.task}”` : ''}. While it ran nobody else was served${victims.length > 0 ? `: ${victims.length} request${victims.length === 1 ? '' : 's'} stood in line (${list(victims.slice(0, 3).map((one) => `${one.label} for ${ms(one.ms)}`))})` : ''}.${exact}`,
        unknown: 'Whether the work is needed at all, or could be done once and kept, is for you to say.',
        saves: null,
        spans: [span.id],
        site: span.site ?? null,
        change: changeFor(blocked.native, blocked.functionName),
      });
    } else if (blocked.request === null && blocked.native === null && !span.site) {
      if (inside < 100) continue;
      hints.push({
        rule: 'delayed',
        weight: 1,
        title: `The process stood still for ${ms(inside)}; no code of yours was running`,
        text: 'Garbage collection, the compiling of modules at a start, or other programs that kept the processor: no function of the program was found on the stack.',
        unknown: 'On a busy machine this says nothing about the application; look again on a quiet one.',
        saves: inside,
        spans: [span.id],
        site: null,
        change: null,
      });
    } else if (inside >= 25)
      // Below that it may be the grain of the watchdog's heartbeat.
      hints.push({
        rule: 'delayed',
        weight: inside >= 100 ? 3 : 2,
        title: `Stood in line for ${ms(inside)}: the loop was held by ${blocked.request ?? 'work outside of requests'}`,
        text: `${what}${where}${blocked.functionName && blocked.native ? ` (called by ${blocked.functionName})` : ''} kept the event loop; this request could not go on meanwhile.${exact}`,
        unknown:
          'Part of that time its own waits may have gone on (a query at the database, an outgoing request).',
        saves: inside,
        spans: [span.id],
        site: span.site ?? null,
        change: null,
      });
  }
  return hints;
}

const asyncTwins: Readonly<Record<string, readonly [before: string, after: string]>> = {
  'fs.readFileSync': [
    "const text = readFileSync(path, 'utf8');",
    "const text = await readFile(path, 'utf8');   // node:fs/promises",
  ],
  'fs.writeFileSync': ['writeFileSync(path, data);', 'await writeFile(path, data);   // node:fs/promises'],
  'child_process.execSync': [
    'execSync(command);',
    'await promisify(exec)(command);   // node:child_process, node:util',
  ],
  'child_process.spawnSync': ['spawnSync(command, args);', 'await promisify(execFile)(command, args);'],
  'child_process.execFileSync': ['execFileSync(file, args);', 'await promisify(execFile)(file, args);'],
  'crypto.pbkdf2Sync': ['pbkdf2Sync(…)', 'await promisify(pbkdf2)(…)   // runs in a thread'],
  'crypto.scryptSync': ['scryptSync(…)', 'await promisify(scrypt)(…)   // runs in a thread'],
};

function changeFor(native: string | null, functionName: string | null): Hint['change'] {
  const twin = native === null ? undefined : asyncTwins[native];
  if (twin !== undefined) return { before: twin[0], after: twin[1] };
  if (native?.startsWith('sqlite.'))
    return {
      before: 'database.prepare(sql).all()',
      after: 'await Model.raw(sql)   // the ORM keeps SQLite in worker threads',
    };
  const name = functionName && /^[\w$.]+$/.test(functionName) ? functionName.split('.').at(-1) : 'work';
  return {
    before: `${name}(data);`,
    after: `const heavy = syncToAsync<typeof import${"('./heavy.ts')"}>(import.meta.resolve('./heavy.ts'), { threadSensitive: false });\nawait heavy.${name}(data);   // in a worker thread`,
  };
}

/** Waiting for something slow inside a transaction: its locks are held meanwhile. */
export function transactions(request: RequestRecord): Hint[] {
  const hints: Hint[] = [];
  const byId = new Map(request.spans.map((span) => [span.id, span]));
  const within = (span: SpanRecord): SpanRecord | null => {
    const seen = new Set<number>();
    for (let at = byId.get(span.parent); at !== undefined && !seen.has(at.id); at = byId.get(at.parent)) {
      if (at.kind === 'transaction') return at;
      seen.add(at.id);
    }
    return null;
  };
  const slow = new Map<number, SpanRecord[]>();
  for (const span of request.spans) {
    if ((span.kind !== 'client' && span.kind !== 'sleep') || (span.end ?? span.start) - span.start < 20)
      continue;
    const around = within(span);
    if (around === null) continue;
    const list = slow.get(around.id);
    if (list === undefined) slow.set(around.id, [span]);
    else list.push(span);
  }
  for (const [id, spans] of slow) {
    const took = spans.reduce((sum, span) => sum + ((span.end ?? span.start) - span.start), 0);
    hints.push({
      rule: 'transaction',
      weight: 2,
      title: `A transaction stayed open for ${ms(took)} of other waiting`,
      text: `${list(spans.slice(0, 3).map((span) => `“${brief(span.name)}”${place(span.site) ? ` (${place(span.site)})` : ''}`))} ran inside a transaction. Its connection and its locks were held meanwhile; others may wait for them.`,
      unknown:
        'Whether the transaction needs the answer is not visible from here. If not, ask before it begins or after it has ended.',
      saves: null,
      spans: [id, ...spans.map((span) => span.id)],
      site: spans[0]?.site ?? null,
      change: null,
    });
  }
  return hints;
}

/** One query that takes most of the request. Whether an index would help its plan tells. */
export function slowQueries(request: RequestRecord): Hint[] {
  return request.spans
    .filter((span) => {
      const took = (span.end ?? span.start) - span.start - (span.waited ?? 0);
      return span.kind === 'query' && took >= 50 && took >= request.duration * 0.3;
    })
    .slice(0, 3)
    .map((span) => {
      const took = (span.end ?? span.start) - span.start - (span.waited ?? 0);
      return {
        rule: 'slow',
        weight: 2,
        title: `One query took ${ms(took)}, ${Math.round((100 * took) / Math.max(1, request.duration))} % of the request`,
        text: `“${brief(span.name, 160)}”${place(span.site) ? ` at ${place(span.site)}` : ''}${span.amount === undefined ? '' : `, ${span.amount} rows`}.`,
        unknown:
          'Only the plan tells whether it reads a whole table: choose the query in the drawing, or `sobaya xray ID --plan`, on data of real size.',
        saves: null,
        spans: [span.id],
        site: span.site ?? null,
        change: null,
      } satisfies Hint;
    });
}
