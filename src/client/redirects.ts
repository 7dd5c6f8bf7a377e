import type { FailedRequest } from '../errors/index.ts';
import { failed } from './faults.ts';
import { HeaderList } from './headers.ts';

interface Request {
  readonly method: string;
  readonly url: URL;
  readonly headers: HeaderList;
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
}

/** The request that follows a redirect, by RFC 9110 15.4 and what browsers do. */
export function nextRequest(
  previous: Request,
  status: number,
  location: string,
  request: FailedRequest,
): Request {
  const url = URL.parse(location, previous.url);
  if (url === null) throw failed('SBY_CLIENT_BAD_REDIRECT', { request, location, why: 'it is no URL' });
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw failed('SBY_CLIENT_BAD_REDIRECT', {
      request,
      location,
      why: 'only http and https can be followed',
    });
  // Credentials in a Location come from the other side: they are not ours to send.
  url.username = '';
  url.password = '';
  url.hash = '';
  const headers = HeaderList.trusted(previous.headers.flat());
  if (url.origin !== previous.url.origin)
    for (const name of ['authorization', 'cookie', 'proxy-authorization', 'host']) headers.delete(name);
  const { method } = previous;
  const becomesGet = (status === 303 && method !== 'HEAD') || (status <= 302 && method === 'POST');
  if (becomesGet && method !== 'GET') {
    for (const name of [
      'content-type',
      'content-length',
      'content-encoding',
      'content-language',
      'content-location',
    ])
      headers.delete(name);
    return { method: 'GET', url, headers, body: null };
  }
  if (previous.body !== null && !(previous.body instanceof Uint8Array))
    throw failed('SBY_CLIENT_BAD_REDIRECT', {
      request,
      location,
      why: 'the body was a stream, which cannot be sent twice',
    });
  return { method, url, headers, body: previous.body };
}
