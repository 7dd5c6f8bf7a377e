/**
 * A Content-Disposition with a file name of any script (RFC 6266): an ASCII form for old clients and the real one.
 * Nothing in the name can leave the quotes or start another header.
 */
export function contentDisposition(kind: 'attachment' | 'inline', filename?: string): string {
  if (filename === undefined || filename === '') return kind;
  const clean = filename.replace(/[\x00-\x1f\x7f]/g, '').replace(/[/\\]/g, '_');
  const ascii = clean.replace(/[^\x20-\x7e]/g, '_').replace(/["\\%]/g, '_');
  const extended = encodeURIComponent(clean.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return ascii === clean
    ? `${kind}; filename="${ascii}"`
    : `${kind}; filename="${ascii}"; filename*=UTF-8''${extended}`;
}
