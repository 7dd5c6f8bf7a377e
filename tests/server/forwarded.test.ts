import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Application } from 'sobaya/asgi';
import { RawConnection, type ServeOptions, serve } from 'sobaya/server';
import { parseForwarded } from '../../src/server/proxies/forwarded-field.ts';
import { hello, http, text } from './applications.ts';

const who = http(async (scope, _receive, send) => {
  await send({ type: 'http.response.start', status: 200 });
  const host = scope.headers.find(([name]) => name === 'host')?.[1];
  const shown = host === 'a' ? '' : ` ${host}`;
  await send({
    type: 'http.response.body',
    body: text(`${scope.client?.join(' ')} ${scope.scheme}${shown}`),
  });
});

async function ask(fields: string, options: ServeOptions): Promise<string> {
  const connection = new RawConnection(who, options);
  connection.feed(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  await connection.settle();
  return connection.output.slice(connection.output.indexOf('\r\n\r\n') + 4);
}

// The peer of a RawConnection is 192.0.2.1.
const cases: [why: string, options: ServeOptions, fields: string, expected: string][] = [
  [
    'nobody is believed by default',
    {},
    'X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-Proto: https\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'another address is not believed',
    { forwardedAllowIps: '10.0.0.0/8' },
    'X-Forwarded-For: 10.9.9.9\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'a trusted proxy is',
    { forwardedAllowIps: '192.0.2.1' },
    'X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n',
    '203.0.113.7 0 https',
  ],
  [
    'a network',
    { forwardedAllowIps: '192.0.2.0/24, 10.0.0.0/8' },
    'X-Forwarded-For: 203.0.113.7:99\r\n',
    '203.0.113.7 99 http',
  ],
  [
    'what the client itself wrote is not',
    { forwardedAllowIps: '192.0.2.0/24' },
    'X-Forwarded-For: 1.1.1.1, 203.0.113.7, 192.0.2.9\r\n',
    '203.0.113.7 0 http',
  ],
  [
    'over several fields',
    { forwardedAllowIps: '192.0.2.0/24' },
    'X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.7\r\n',
    '203.0.113.7 0 http',
  ],
  [
    'garbage is not',
    { forwardedAllowIps: '192.0.2.0/24' },
    'X-Forwarded-For: nonsense\r\n',
    '192.0.2.1 50000 http',
  ],
  ['everybody', { forwardedAllowIps: '*' }, 'X-Forwarded-For: 1.1.1.1, 203.0.113.7\r\n', '1.1.1.1 0 http'],
  [
    'the standard field is not mixed in',
    { forwardedAllowIps: '*' },
    'Forwarded: for=6.6.6.6\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'the standard field',
    { forwardedAllowIps: '192.0.2.1', forwardedHeader: 'forwarded' },
    'Forwarded: for="[2001:db8::1]:4711";proto=https;by=1.2.3.4\r\nX-Forwarded-For: 6.6.6.6\r\n',
    '2001:db8::1 4711 https',
  ],

  [
    'hops: both proxies are ours, the client is what the outer one saw',
    { forwardedAllowIps: '192.0.2.0/24, 198.51.100.2' },
    'X-Forwarded-For: 6.6.6.6, 203.0.113.7, 198.51.100.2\r\nX-Forwarded-Proto: ftp, https, http\r\n',
    '203.0.113.7 0 https',
  ],
  [
    'fewer schemes than addresses: the nearest proxy is the one who knows',
    { forwardedAllowIps: '192.0.2.1' },
    'X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https, http\r\n',
    '203.0.113.7 0 http',
  ],
  [
    'an address that is none ends the walk',
    { forwardedAllowIps: '192.0.2.0/24' },
    'X-Forwarded-For: 6.6.6.6, unknown, 192.0.2.8\r\n',
    '192.0.2.8 0 http',
  ],
  [
    'IPv6 and mapped IPv4',
    { forwardedAllowIps: '192.0.2.1, 2001:db8::/32' },
    'X-Forwarded-For: ::ffff:203.0.113.7, 2001:db8::5\r\n',
    '203.0.113.7 0 http',
  ],
  [
    'a port out of range',
    { forwardedAllowIps: '*' },
    'X-Forwarded-For: 1.1.1.1:70000\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'an unknown scheme',
    { forwardedAllowIps: '*' },
    'X-Forwarded-Proto: javascript\r\n',
    '192.0.2.1 50000 http',
  ],
  ['the scheme alone', { forwardedAllowIps: '*' }, 'X-Forwarded-Proto: HTTPS\r\n', '192.0.2.1 50000 https'],
  [
    'the host is not believed unless asked for',
    { forwardedAllowIps: '*' },
    'X-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 8443\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'host and port, asked for',
    { forwardedAllowIps: '*', forwardedParts: 'for, proto, host, port' },
    'X-Forwarded-Host: shop.example:1\r\nX-Forwarded-Port: 8443\r\nX-Forwarded-Proto: https\r\n',
    '192.0.2.1 50000 https shop.example:8443',
  ],
  [
    'the usual port goes without saying',
    { forwardedAllowIps: '*', forwardedParts: 'proto,host,port' },
    'X-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 1.1.1.1\r\n',
    '192.0.2.1 50000 https shop.example',
  ],
  [
    'a host that is none',
    { forwardedAllowIps: '*', forwardedParts: 'host' },
    'X-Forwarded-Host: evil.example/@shop\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'Forwarded: the element of the client, not the last',
    { forwardedAllowIps: '192.0.2.0/24', forwardedHeader: 'forwarded', forwardedParts: 'for,proto,host' },
    'Forwarded: for=6.6.6.6, for="203.0.113.7:4711";proto=https;host="shop.example:8443" , FOR=192.0.2.60;Proto=http\r\n',
    '203.0.113.7 4711 https shop.example:8443',
  ],
  [
    'Forwarded: a hidden client is nobody, and what stands before it is not asked',
    { forwardedAllowIps: '192.0.2.0/24', forwardedHeader: 'forwarded' },
    'Forwarded: for=6.6.6.6, for=_hidden;proto=https, for=192.0.2.60\r\n',
    '192.0.2.60 0 http',
  ],
  [
    'Forwarded: a hidden port',
    { forwardedAllowIps: '192.0.2.1', forwardedHeader: 'forwarded' },
    'Forwarded: for="203.0.113.7:_x1"\r\n',
    '203.0.113.7 0 http',
  ],
  [
    'Forwarded: unknown',
    { forwardedAllowIps: '192.0.2.1', forwardedHeader: 'forwarded' },
    'Forwarded: for=unknown;proto=https\r\n',
    '192.0.2.1 50000 https',
  ],
  [
    'Forwarded: a quoted string that the client began swallows nothing',
    { forwardedAllowIps: '192.0.2.1', forwardedHeader: 'forwarded' },
    'Forwarded: for=6.6.6.6;x=", for="[2001:db8::1]:80"\r\n',
    '192.0.2.1 50000 http',
  ],
  [
    'Forwarded: a broken field hides those before it, not those after it',
    { forwardedAllowIps: '192.0.2.0/24', forwardedHeader: 'forwarded' },
    'Forwarded: for=6.6.6.6\r\nForwarded: for="\r\nForwarded: for=192.0.2.9\r\n',
    '192.0.2.9 0 http',
  ],
];
for (const [why, options, fields, expected] of cases) {
  test(`forwarded: ${why}`, async () => assert.equal(await ask(fields, options), expected));
}

test('forwarded: addresses that are none are refused', async () => {
  for (const forwardedAllowIps of ['example.org', '10.0.0.0/33', '10.0.0.0/x'])
    await assert.rejects(serve(hello, { forwardedAllowIps, port: 0 }), { code: 'SBY_SERVER_BAD_OPTION' });
});

test('forwarded: parts that are none are refused', async () => {
  await assert.rejects(serve(hello, { forwardedAllowIps: '*', forwardedParts: 'for,by', port: 0 }), {
    message: /The option forwardedParts is "for,by"\. Give some of for, proto, host, port/,
  });
});

const grammar: [field: string, expected: Record<string, string>[] | null][] = [
  ['for="_gazonk"', [{ for: '_gazonk' }]],
  ['For="[2001:db8:cafe::17]:4711"', [{ for: '[2001:db8:cafe::17]:4711' }]],
  ['for=192.0.2.60;proto=http;by=203.0.113.43', [{ for: '192.0.2.60', proto: 'http', by: '203.0.113.43' }]],
  ['for=192.0.2.43, for=198.51.100.17', [{ for: '192.0.2.43' }, { for: '198.51.100.17' }]],
  [' , for=a ;; by=b ,\t,', [{ for: 'a', by: 'b' }]],
  ['for="a\\"b\\\\,;"', [{ for: 'a"b\\,;' }]],
  ['x=""', [{ x: '' }]],
  ['', []],
  ['for', null],
  ['for=', null],
  ['=a', null],
  ['for =a', null],
  ['for= a', null],
  ['for=a b', null],
  ['for="a', null],
  ['for="a\\', null],
  ['for="a"b', null],
  ['for=a;for=b', null],
  ['for=[::1]', null],
];
for (const [field, expected] of grammar) {
  test(`Forwarded by its grammar: ${field}`, () =>
    assert.deepEqual(parseForwarded(field)?.map((element) => Object.fromEntries(element)) ?? null, expected));
}

test('Forwarded: what is written as the RFC says is read back, whatever the values hold', () => {
  const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/);
  const element = fc.dictionary(
    token.map((name) => name.toLowerCase()).filter((name) => name !== '__proto__'),
    fc.string(),
    { minKeys: 1, maxKeys: 4 },
  );
  fc.assert(
    fc.property(
      fc.array(element, { maxLength: 4 }),
      fc.constantFrom(',', ' , ', ',\t'),
      (elements, comma) => {
        const field = elements
          .map((pairs) =>
            Object.entries(pairs)
              .map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`)
              .join(';'),
          )
          .join(comma);
        assert.deepEqual(
          parseForwarded(field)?.map((read) => Object.fromEntries(read)),
          elements.map((pairs) => ({ ...pairs })),
        );
      },
    ),
  );
});

test('Forwarded: time grows with length, not faster', () => {
  // A nest of commas and quotes, at the size that the limit on fields lets through many times over.
  for (const piece of ['",', 'a="', '\\"', ';,', 'for=a,']) {
    const field = piece.repeat(200_000 / piece.length);
    parseForwarded(field);
  }
});

test('forwarded: WebSockets too', async () => {
  const seen: unknown[] = [];
  const app: Application = async (scope, receive, send) => {
    assert.equal(scope.type, 'websocket');
    seen.push([scope.client, scope.scheme]);
    await receive();
    await send({ type: 'websocket.close' });
  };
  const connection = new RawConnection(app, { forwardedAllowIps: '192.0.2.1' });
  connection.feed(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n',
  );
  while (seen.length === 0) await connection.settle();
  assert.deepEqual(seen, [[['203.0.113.7', 0], 'wss']]);
});
