import type { Framing, PerMessageDeflate } from './framing.ts';

export interface Negotiated {
  readonly deflate: PerMessageDeflate;
  /** What Sec-WebSocket-Extensions says in the answer. */
  readonly answer: string;
}

/**
 * Takes the first offer of permessage-deflate that can be met (RFC 7692 5.1); one with parameters that are unknown, twice
 * there or out of range is passed over, as the RFC says, and null means that none was left. Throws a SyntaxError when the
 * field breaks its grammar.
 */
export function negotiate(framing: Framing, field: string, maxPayload: number): Negotiated | null {
  const offers = framing.extension.parse(field)['permessage-deflate'] ?? [];
  for (const offer of offers) {
    // Contexts are given up after each message where the client asks for it; a window of 8 bits zlib does not do.
    const deflate = new framing.PerMessageDeflate({ isServer: true, maxPayload, threshold: 1024 });
    try {
      if (offer['server_max_window_bits']?.includes('8')) continue;
      const params = deflate.accept([offer]);
      return { deflate, answer: framing.extension.format({ 'permessage-deflate': params }) };
    } catch {
      // Declined: the next offer may do.
    }
  }
  return null;
}
