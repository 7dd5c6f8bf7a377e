import { formatDate } from '../i18n/index.ts';

/** Text that is HTML already and is not escaped again. Make it with `markSafe`, from nothing that users wrote. */
export class SafeString {
  readonly html: string;
  constructor(html: string) {
    this.html = html;
  }
  toString(): string {
    return this.html;
  }
}

export function markSafe(html: string): SafeString {
  return new SafeString(html);
}

const RISKY = /[&<>"']/;

/** Makes text harmless as HTML text and inside quoted attributes. */
export function escapeHtml(text: string): string {
  // Most text has nothing to escape, and looking is cheaper than building.
  const first = text.search(RISKY);
  if (first < 0) return text;
  let html = text.slice(0, first);
  let from = first;
  for (let i = first; i < text.length; i++) {
    let entity: string;
    switch (text.charCodeAt(i)) {
      case 0x26:
        entity = '&amp;';
        break;
      case 0x3c:
        entity = '&lt;';
        break;
      case 0x3e:
        entity = '&gt;';
        break;
      case 0x22:
        entity = '&quot;';
        break;
      case 0x27:
        entity = '&#39;';
        break;
      default:
        continue;
    }
    if (from < i) html += text.slice(from, i);
    html += entity;
    from = i + 1;
  }
  return from < text.length ? html + text.slice(from) : html;
}

/** How a value is written when nobody says how. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return formatDate(value, { dateStyle: 'medium', timeStyle: 'short' });
  if (Array.isArray(value)) return value.map(textOf).join('');
  if (typeof value !== 'object') return String(value);
  const own = (value as { toString?: unknown }).toString;
  if (typeof own === 'function' && own !== Object.prototype.toString) return String(value);
  return JSON.stringify(value) ?? '';
}

/** What `{{ value }}` writes. */
export function output(value: unknown): string {
  return value instanceof SafeString ? value.html : escapeHtml(textOf(value));
}

// What a browser ignores while it reads a scheme: C0 controls and spaces in front, tabs and line ends anywhere.
const SCRIPT_URL = /^(?:javascript|vbscript|data):/i;

/** The URL, or `#blocked` when following it would run code. `data:` may only be an image. */
export function safeUrl(value: unknown): unknown {
  if (value instanceof SafeString) return value;
  const text = textOf(value);
  const seen = text.replace(/^[\x00-\x20]+/, '').replace(/[\t\r\n]/g, '');
  if (SCRIPT_URL.test(seen) && !/^data:image\/(?:png|gif|jpeg|webp|avif)[;,]/i.test(seen)) return '#blocked';
  return text;
}

/**
 * Data for scripts: `<script type="application/json" id="…">`, which no content can close. Without an id: the
 * element has none.
 */
export function jsonScript(value: unknown, id?: string): SafeString {
  const escapes: Readonly<Record<string, string>> = {
    '<': '\\u003C',
    '>': '\\u003E',
    '&': '\\u0026',
    '\u2028': '\\u2028',
    '\u2029': '\\u2029',
  };
  const json = (JSON.stringify(value) ?? 'null').replace(
    /[<>&\u2028\u2029]/g,
    (char) => escapes[char] as string,
  );
  const attribute = id === undefined ? '' : ` id="${escapeHtml(id)}"`;
  return markSafe(`<script type="application/json"${attribute}>${json}</script>`);
}
