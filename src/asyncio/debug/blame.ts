import type { BlockedMessage } from '../channels.ts';
import type { Context } from '../context.ts';
import { allTasks } from '../programs.ts';
import type { Task } from '../task.ts';
import { describeFrame, type Frame, userFrame } from './frames.ts';
import type { SlowNative } from './natives.ts';
import type { Sample, Stillstand } from './watchdog.ts';

/** Who held the loop: a native call that timed itself, else what was seen most often while it stood still. */
export function blame(stillstand: Stillstand, natives: readonly SlowNative[]): BlockedMessage {
  const { ms, from } = stillstand;
  const tasks = new Set([...stillstand.samples.flatMap((sample) => sample.tasks), ...allTasks()]);
  const inside = natives.filter(
    (native) => native.from + native.ms > from - 50 && native.from < from + ms + 50,
  );
  const slowest = inside.reduce<SlowNative | null>(
    (best, each) => (best === null || each.ms > best.ms ? each : best),
    null,
  );
  const nativeMs = inside.reduce((sum, each) => sum + each.ms, 0);
  if (slowest !== null && nativeMs > ms / 2)
    return message(
      Math.max(ms, slowest.ms),
      Math.min(from, slowest.from),
      slowest.frames,
      slowest.context,
      slowest.name,
      true,
      tasks,
    );
  const sample = likeliest(stillstand.samples);
  if (sample === null) return message(ms, from, [], null, null, false, tasks);
  return message(ms, from, sample.frames, sample.context, null, !sample.late, tasks);
}

/** Of the samples that were answered in time (if any), one of those with the same frame of the user's most often. */
function likeliest(samples: readonly Sample[]): Sample | null {
  const prompt = samples.filter((sample) => !sample.late);
  const candidates = prompt.length > 0 ? prompt : samples;
  const votes = new Map<string, { sample: Sample; count: number }>();
  for (const sample of candidates) {
    const frame = userFrame(sample.frames);
    const key = frame === null ? '' : `${frame.file} ${frame.functionName}`;
    const vote = votes.get(key);
    if (vote === undefined) votes.set(key, { sample, count: 1 });
    else vote.count++;
  }
  let best: { sample: Sample; count: number } | null = null;
  for (const vote of votes.values()) if (best === null || vote.count > best.count) best = vote;
  return best?.sample ?? null;
}

function message(
  ms: number,
  from: number,
  frames: readonly Frame[],
  context: Context | null,
  native: string | null,
  exact: boolean,
  tasks: ReadonlySet<Task<unknown>>,
): BlockedMessage {
  const frame = userFrame(frames);
  const path: string[] = [];
  const line = new Set<Task<unknown>>();
  for (let task = context?.task ?? null; task !== null; task = task.parent) {
    path.unshift(task.name);
    line.add(task);
  }
  // The others next to it, at every level; what is below them waited with them.
  const delayed = [...tasks].filter(
    (task) =>
      !line.has(task) && (task.parent === null || line.has(task.parent)) && task.startedAt < from + ms,
  );
  return {
    ms: Math.round(ms),
    from,
    task: context?.task?.name ?? null,
    taskSite: context?.task?.site ?? null,
    path,
    where: frame === null ? null : describeFrame(frame),
    functionName: frame === null ? null : frame.functionName || '(anonymous)',
    file: frame?.file ?? null,
    line: frame?.line ?? null,
    column: frame?.column ?? null,
    native,
    exact,
    context,
    delayed: delayed.map((task) => task.name),
    frames: frames.map(describeFrame),
  };
}

/** The report for people. */
export function formatBlocked(blocked: BlockedMessage): string {
  const { ms, native, where, exact, path, taskSite, delayed } = blocked;
  const lines = [`The event loop was blocked for ${ms} ms${native === null ? '' : ` by ${native}()`}`];
  if (where === null) lines.push('  in native code; no function of yours was on the stack');
  else lines.push(`  in ${exact ? '' : 'or just before '}${where}`);
  if (path.length > 0)
    lines.push(`  task: ${path.join(' › ')}${taskSite === null ? '' : `, created at ${taskSite}`}`);
  if (delayed.length > 0) {
    const some = delayed.slice(0, 5).join(', ');
    lines.push(`  kept waiting: ${some}${delayed.length > 5 ? ` and ${delayed.length - 5} more` : ''}`);
  }
  return lines.join('\n');
}
