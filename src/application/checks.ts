import type { Leaf, Resolver } from '../urls/index.ts';
import type { SobayaApplication } from './create-app.ts';

export type CheckLevel = 'info' | 'warning' | 'error';

/** A finding, with a stable id; `hint` says how to mend it. */
export interface CheckMessage {
  readonly id: string;
  readonly level: CheckLevel;
  readonly message: string;
  readonly hint: string;
}

export interface CheckOptions {
  /** Also what only matters where strangers come. */
  readonly deploy?: boolean;
}

/** Looks for what is probably not meant. What cannot work at all, createApp has refused before. */
export function checkApplication(application: SobayaApplication, options: CheckOptions = {}): CheckMessage[] {
  const messages = [...checkUrlPatterns(application.resolver)];
  if (options.deploy) messages.push(...checkDeployment(application));
  return messages;
}

const shown = (leaf: Leaf): string => `"${leaf.route}" (${leaf.viewName})`;

/** A typical text for a converter: the least special one that fits. */
const samples = [
  'そば-a.b',
  'soba-udon',
  '7',
  '2026',
  '9b2f6f0e-0000-4000-8000-00000000000a',
  'a/b',
  'a',
  'A',
  '00',
  '0000',
  '1.5',
  'ja',
];

function samplePath(leaf: Leaf): string | null {
  if (leaf.tail !== null) return null;
  let path = '';
  for (const token of leaf.tokens) {
    if (typeof token === 'string') path += token;
    else {
      const whole = new RegExp(`^(?:${token.converter.regex})$`, 's');
      const text = samples.find((sample) => whole.test(sample));
      if (text === undefined) return null;
      path += text;
    }
  }
  return path;
}

function* checkUrlPatterns(resolver: Resolver): Iterable<CheckMessage> {
  const byRegex = new Map<string, Leaf>();
  const byName = new Map<string, Leaf>();
  for (const leaf of resolver.leaves) {
    const same = byRegex.get(leaf.kind + leaf.regex.source);
    if (same !== undefined) {
      yield {
        id: 'urls.W001',
        level: 'warning',
        message: `The route ${shown(leaf)} is there twice: ${shown(same)} matches the same paths and comes first`,
        hint: 'Remove one of them',
      };
    } else {
      byRegex.set(leaf.kind + leaf.regex.source, leaf);
      const path = samplePath(leaf);
      const found =
        path === null
          ? null
          : leaf.kind === 'http'
            ? resolver.resolve(`/${path}`)
            : resolver.resolveWebSocket(`/${path}`);
      if (found !== null && found.leaf.index < leaf.index)
        yield {
          id: 'urls.W002',
          level: 'warning',
          message: `The route ${shown(leaf)} is shadowed: /${path} goes to ${shown(found.leaf)}, which comes first`,
          hint: `Put ${shown(leaf)} before ${shown(found.leaf)}`,
        };
    }
    if (leaf.name !== null) {
      const name = [...leaf.namespaces, leaf.name].join(':');
      const key = `${name} ${leaf.params
        .map((param) => param.name)
        .sort()
        .join()}`;
      const before = byName.get(key);
      if (before !== undefined)
        yield {
          id: 'urls.W003',
          level: 'warning',
          message: `Two routes are named "${name}" and take the same parameters: ${shown(before)} and ${shown(leaf)}; reverse() gives the second`,
          hint: 'Give one of them another name, or its include() a namespace',
        };
      byName.set(key, leaf);
      if (leaf.name.includes(':'))
        yield {
          id: 'urls.W004',
          level: 'warning',
          message: `The name "${leaf.name}" of ${shown(leaf)} holds a ":", which separates namespaces`,
          hint: 'Use "-" in names, and include(…, { namespace })',
        };
    }
    if (Number.isFinite(leaf.longest))
      yield {
        id: 'urls.W005',
        level: 'warning',
        message: `The route ${shown(leaf)} can be cut in several ways, and matches paths up to ${leaf.longest} characters only`,
        hint: 'Put a character between the parameters that the first of them cannot hold, such as "/"',
      };
    if (leaf.tail !== null && /[+*}]\)?[+*{]|\([^)]*[+*][^)]*\)[+*{]/.test(leaf.tail.source))
      yield {
        id: 'urls.W006',
        level: 'warning',
        message: `The regular expression of ${shown(leaf)} repeats something that repeats: some paths may take it exponential time`,
        hint: 'Use path() with converters, or an expression without nested repetition',
      };
    if (/\?|#/.test(leaf.route) && leaf.tail === null)
      yield {
        id: 'urls.W007',
        level: 'warning',
        message: `The route ${shown(leaf)} holds "?" or "#", which no path has`,
        hint: 'Read parameters after the question mark with request.query',
      };
  }
}

function* checkDeployment({ settings, options }: SobayaApplication): Iterable<CheckMessage> {
  const warn = (number: string, message: string, hint: string): CheckMessage => ({
    id: `security.${number}`,
    level: 'warning',
    message,
    hint,
  });
  const middleware = new Set((options.middleware ?? []).map((layer) => layer.name));
  if (settings.debug)
    yield {
      ...warn(
        'E001',
        'debug is true: strangers see source code and requests',
        'createApp({ debug: false }), or an environment without SOBAYA_DEBUG and NODE_ENV=development',
      ),
      level: 'error',
    };
  if (settings.allowedHosts.length === 0)
    yield warn(
      'W002',
      'No allowedHosts: only the names of the loopback are answered to',
      "createApp({ allowedHosts: ['soba.example'] })",
    );
  if (settings.allowedHosts.includes('*'))
    yield warn(
      'W003',
      'allowedHosts has "*": anybody can write the host of your links',
      'Name the hosts of this site',
    );
  if (settings.secretKeys.length === 0)
    yield warn(
      'W004',
      'No secretKey: nothing can be signed',
      'createApp({ secretKey: process.env.SECRET_KEY })',
    );
  for (const key of settings.secretKeys)
    if (key.length < 32 || new Set(key).size < 8 || /insecure|change-?me|secret/i.test(key))
      yield warn(
        'W005',
        'The secretKey can be guessed',
        'Make one: node -p "crypto.randomBytes(32).toString(\'base64url\')"',
      );
  const wanted: Record<string, [number: string, message: string]> = {
    securityHeaders: ['W006', 'No security headers are set (CSP, nosniff, Referrer-Policy, frames)'],
    httpsRedirect: ['W007', 'Nothing leads from http to https, and no Strict-Transport-Security is sent'],
    csrf: ['W008', 'Forms are not protected against cross-site requests'],
    hostCheck: ['W009', 'The Host header is only checked where a view asks for it'],
  };
  for (const [name, [number, message]] of Object.entries(wanted))
    if (!middleware.has(name))
      yield warn(number, message, `createApp({ middleware: [${name}(), …] }), from sobaya/middleware`);
}
