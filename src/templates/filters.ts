import type { Liquid } from 'liquidjs';
import { formatDate, formatNumber } from '../i18n/index.ts';
import { escapeHtml, jsonScript, markSafe, output, SafeString, safeUrl, textOf } from './safe.ts';

type DateStyle = 'full' | 'long' | 'medium' | 'short';
const styles: readonly string[] = ['full', 'long', 'medium', 'short'];

function toDate(value: unknown): Date | null {
  if (value instanceof Date) return value;
  if (value === null || value === undefined || value === '') return null;
  const date = new Date(value === 'now' ? Date.now() : (value as string | number));
  return Number.isNaN(date.getTime()) ? null : date;
}

/** Named parameters come as `[name, value]` pairs after the others. */
function named(args: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(
    args.filter((arg): arg is [string, unknown] => Array.isArray(arg) && arg.length === 2),
  );
}

export function registerFilters(engine: Liquid): void {
  engine.registerFilter('safe', { handler: (value: unknown) => textOf(value), raw: true });
  engine.registerFilter('escape', (value: unknown) =>
    value instanceof SafeString ? markSafe(escapeHtml(value.html)) : markSafe(escapeHtml(textOf(value))),
  );
  engine.registerFilter('safe_url', safeUrl);
  engine.registerFilter('json_script', (value: unknown, id?: string) => jsonScript(value, id));
  engine.registerFilter('json', (value: unknown) => JSON.stringify(value) ?? 'null');
  engine.registerFilter('newline_to_br', (value: unknown) =>
    markSafe(output(value).replace(/\r\n|\r|\n/g, '<br>\n')),
  );
  engine.registerFilter('linebreaks', (value: unknown) => {
    const paragraphs = output(value)
      .replace(/\r\n|\r/g, '\n')
      .split(/\n{2,}/)
      .filter((text) => text.trim() !== '');
    return markSafe(paragraphs.map((text) => `<p>${text.trim().replace(/\n/g, '<br>')}</p>`).join('\n'));
  });
  engine.registerFilter('number', (value: unknown, ...args: unknown[]) =>
    formatNumber(Number(value), named(args) as Intl.NumberFormatOptions),
  );
  engine.registerFilter('currency', (value: unknown, currency = 'JPY') =>
    formatNumber(Number(value), { style: 'currency', currency: String(currency) }),
  );
  engine.registerFilter('percent', (value: unknown) => formatNumber(Number(value), { style: 'percent' }));
  // Liquid's own `date` takes strftime; a style name gives what the language is used to.
  const strftime = engine.filters['date'] as (
    value: unknown,
    format?: unknown,
    ...rest: unknown[]
  ) => unknown;
  engine.registerFilter(
    'date',
    function (this: unknown, value: unknown, style: unknown = 'medium', ...rest: unknown[]) {
      if (!styles.includes(String(style))) return strftime.call(this, value, style, ...rest);
      const date = toDate(value);
      return date === null ? '' : formatDate(date, { dateStyle: style as DateStyle });
    },
  );
  engine.registerFilter('time', (value: unknown, style: unknown = 'short') => {
    const date = toDate(value);
    return date === null ? '' : formatDate(date, { timeStyle: String(style) as DateStyle });
  });
  engine.registerFilter('datetime', (value: unknown, style: unknown = 'medium') => {
    const date = toDate(value);
    return date === null
      ? ''
      : formatDate(date, { dateStyle: String(style) as DateStyle, timeStyle: 'short' });
  });
}
