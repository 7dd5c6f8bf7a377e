import { dirname, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CallSiteObject, getCallSites } from 'node:util';

export interface Frame {
  readonly functionName: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The folder of Sobaya itself, `src` or `dist`: its frames are nobody's fault. */
const own = dirname(dirname(dirname(fileURLToPath(import.meta.url)))) + sep;

/** The frames above the caller, innermost first. Lines are those of the TypeScript source. */
export function captureFrames(count: number): Frame[] {
  // Stripped types keep their place; whoever bundles has to switch source maps on, as for any stack.
  const sites: CallSiteObject[] = getCallSites(count, { sourceMap: process.sourceMapsEnabled === true });
  return sites.map((site) => ({
    functionName: site.functionName,
    file: site.scriptName.startsWith('file:') ? fileURLToPath(site.scriptName) : site.scriptName,
    line: site.lineNumber,
    column: site.columnNumber,
  }));
}

function isNode({ file }: Frame): boolean {
  return file === '' || file.startsWith('node:') || file.startsWith('evalmachine') || file === '[eval]';
}

/** The innermost frame of the user's own code; else of a library; null when there is neither. */
export function userFrame(frames: readonly Frame[]): Frame | null {
  const foreign = frames.filter((frame) => !isNode(frame) && !frame.file.startsWith(own));
  return foreign.find((frame) => !frame.file.includes(`${sep}node_modules${sep}`)) ?? foreign[0] ?? null;
}

export function place({ file, line, column }: Frame): string {
  const short = file.startsWith(sep) ? relative(process.cwd(), file) : file;
  return `${short.startsWith('..') ? file : short}:${line}:${column}`;
}

export function describeFrame(frame: Frame): string {
  return `${frame.functionName || '(anonymous)'} (${place(frame)})`;
}

/** Where the user's code called Sobaya, "file:line:column". */
export function callSite(): string | null {
  const frame = userFrame(captureFrames(16));
  return frame === null ? null : place(frame);
}
