/**
 * What RFC 9112 (HTTP/1.1), RFC 9110 (semantics) and RFC 3986 (targets) demand of a server, section by section, beyond what
 * `http1-requests.test.ts` has. Each case is the very bytes of a connection and what must come back: the statuses in order,
 * and whether the connection stays open.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RawConnection } from 'sobaya/server';
import { http, text } from './applications.ts';

/** Answers with what it saw, as JSON; the path says how. */
const mirror = http(async (scope, receive, send) => {
  let body = '';
  for (;;) {
    const event = await receive();
    if (event.type !== 'http.request') return;
    body += Buffer.from(event.body).toString('latin1');
    if (!event.moreBody) break;
  }
  const { method, path, rawPath, queryString, httpVersion, headers } = scope;
  const seen = { method, path, rawPath, queryString, httpVersion, headers, body };
  await send({ type: 'http.response.start', status: 200, headers: [] });
  await send({ type: 'http.response.body', body: text(JSON.stringify(seen)) });
});

interface Seen {
  method: string;
  path: string;
  rawPath: string;
  queryString: string;
  httpVersion: string;
  headers: [string, string][];
  body: string;
}
interface Answer {
  status: number;
  head: string;
  body: string;
}

/** Reads answers as a strict client would: by Content-Length, or to the end. */
function parse(output: string, bodiless = false): Answer[] {
  const found: Answer[] = [];
  for (let rest = output; rest !== ''; ) {
    assert.match(
      rest,
      /^HTTP\/1\.1 \d\d\d /,
      `not the start of an answer: ${JSON.stringify(rest.slice(0, 80))}`,
    );
    const end = rest.indexOf('\r\n\r\n') + 4;
    const head = rest.slice(0, end);
    const status = Number(head.slice(9, 12));
    const length =
      bodiless || status < 200 ? 0 : Number(/\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1] ?? Number.NaN);
    const body = Number.isNaN(length) ? rest.slice(end) : rest.slice(end, end + length);
    found.push({ status, head, body });
    rest = rest.slice(end + body.length);
  }
  return found;
}

async function converse(raw: string): Promise<{ answers: Answer[]; open: boolean; text: string }> {
  const connection = new RawConnection(mirror);
  connection.feed(raw);
  for (let turn = 0; turn < 4; turn++) await connection.settle();
  return {
    answers: parse(connection.output, raw.startsWith('HEAD')),
    open: !connection.ended && !connection.destroyed,
    text: connection.output,
  };
}

const seen = (answer: Answer | undefined): Seen =>
  JSON.parse(Buffer.from(answer?.body ?? '', 'latin1').toString('utf8')) as Seen;

const H = 'Host: a\r\n';
const G = `GET / HTTP/1.1\r\n${H}`;
const P = `POST / HTTP/1.1\r\n${H}`;
const T = `${P}Transfer-Encoding: chunked\r\n\r\n`;
const NEXT = `GET /next HTTP/1.1\r\n${H}\r\n`;

/** [what, bytes, statuses in order, open afterwards] */
type Case = [what: string, raw: string, statuses: number[], open: boolean];

const bank: Record<string, Case[]> = {
  'RFC 9112 2.2, message parsing': [
    ['an empty line between two pipelined requests', `${G}\r\n\r\n${NEXT}`, [200, 200], true],
    ['an empty line after a body', `${P}Content-Length: 1\r\n\r\na\r\n${NEXT}`, [200, 200], true],
    ['a bare CR as the end of a line', `GET / HTTP/1.1\rHost: a\r\r`, [400], false],
    ['a bare LF before the request line', `\n${NEXT}`, [400], false],
    ['a bare LF that ends the head', `GET / HTTP/1.1\r\nHost: a\r\n\n`, [400], false],
    ['CR CR LF at the end of a line', `GET / HTTP/1.1\r\nHost: a\r\r\n\r\n`, [400], false],
    ['LF CR', `GET / HTTP/1.1\n\rHost: a\n\r\n\r`, [400], false],
    [
      'white space between the request line and the first field',
      `GET / HTTP/1.1\r\n X: y\r\n${H}\r\n`,
      [400],
      false,
    ],
    [
      'a tab between the request line and the first field',
      `GET / HTTP/1.1\r\n\tX: y\r\n${H}\r\n`,
      [400],
      false,
    ],
    ['a byte order mark', `\xef\xbb\xbf${NEXT}`, [400], false],
    ['an SSH client', 'SSH-2.0-OpenSSH_9.2\r\n', [400], false],
    ['an SMTP client', 'EHLO soba.example\r\n', [400], false],
    ['a client of TLS', '\x16\x03\x01\x00\xc4\x01\x00', [400], false],
    ['a PROXY header that nobody asked for', `PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${NEXT}`, [400], false],
    ['a NUL', `\0${NEXT}`, [400], false],
  ],
  'RFC 9112 2.3, HTTP version': [
    ['HTTP/1.1', `${G}\r\n`, [200], true],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', [200], false],
    ['a higher minor version is the highest known (RFC 9110 6.2)', `GET / HTTP/1.2\r\n${H}\r\n`, [200], true],
    ['HTTP/1.9', `GET / HTTP/1.9\r\n${H}\r\n`, [200], true],
    ['HTTP/1.9 without Host', `GET / HTTP/1.9\r\n\r\n`, [400], false],
    ['HTTP/2.0', `GET / HTTP/2.0\r\n${H}\r\n`, [505], false],
    ['HTTP/3.0', `GET / HTTP/3.0\r\n${H}\r\n`, [505], false],
    ['HTTP/0.9', `GET / HTTP/0.9\r\n\r\n`, [505], false],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [505], false],
    ['HTTP/11', `GET / HTTP/11\r\n${H}\r\n`, [400], false],
    ['HTTP/1', `GET / HTTP/1\r\n${H}\r\n`, [400], false],
    ['HTTP/1.', `GET / HTTP/1.\r\n${H}\r\n`, [400], false],
    ['HTTP/01.1', `GET / HTTP/01.1\r\n${H}\r\n`, [400], false],
    ['HTTP/1.01', `GET / HTTP/1.01\r\n${H}\r\n`, [400], false],
    ['HTTP/+1.1', `GET / HTTP/+1.1\r\n${H}\r\n`, [400], false],
    ['HTTP /1.1', `GET / HTTP /1.1\r\n${H}\r\n`, [400], false],
    ['http/1.1', `GET / http/1.1\r\n${H}\r\n`, [400], false],
    ['HTTPS/1.1', `GET / HTTPS/1.1\r\n${H}\r\n`, [400], false],
    ['a simple request of HTTP/0.9', 'GET /\r\n', [400], false],
  ],
  'RFC 9112 3, request line': [
    ['white space before the method', ` GET / HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a tab before the method', `\tGET / HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a colon in the method', `GE:T / HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a quote in the method', `"GET" / HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['no target', `GET HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['an empty target', `GET  HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a vertical tab between the parts', `GET\x0b/\x0bHTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a form feed between the parts', `GET\x0c/ HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a CR within the target', `GET /a\rb HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a LF within the target', `GET /a\nb HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a second request line in the target', `GET /a HTTP/1.1 HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['white space after the version', `GET / HTTP/1.1\t\r\n${H}\r\n`, [400], false],
    ['a DEL in the target', `GET /\x7f HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['an ESC in the target', `GET /\x1b[31m HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['raw UTF-8 in the target', `GET /caf\xc3\xa9 HTTP/1.1\r\n${H}\r\n`, [400], false],
    [
      'a method of 2,000 letters and an unknown target form',
      `${'A'.repeat(2000)} x HTTP/1.1\r\n${H}\r\n`,
      [400, 501].slice(1),
      false,
    ],
    ['a line over the limit that never ends', `GET /${'a'.repeat(20_000)}`, [414], false],
  ],
  'RFC 9112 3.2, request target': [
    ['origin form with a query that holds a question mark', `GET /a?b?c HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['two slashes', `GET //a//b HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['dot segments, which are the application’s', `GET /a/../b/./c HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['semicolons and sub-delimiters', `GET /a;b=c,d!$&'()*+ HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['a colon in the path', `GET /a:b@c HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['an https URL', `GET https://a.example/x HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['a scheme in upper case', `GET HTTP://a.example/x HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['an absolute target with a port', `GET http://a.example:8080/x HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['an absolute target with an IPv6 host', `GET http://[::1]:80/x HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['an absolute target without Host', 'GET http://a.example/x HTTP/1.1\r\n\r\n', [400], false],
    ['an absolute target with two Hosts', `GET http://a.example/x HTTP/1.1\r\n${H}${H}\r\n`, [400], false],
    [
      'an absolute target with a bad Host',
      'GET http://a.example/x HTTP/1.1\r\nHost: a b\r\n\r\n',
      [400],
      false,
    ],
    [
      'an absolute target with user information',
      `GET http://u@a.example/ HTTP/1.1\r\n${H}\r\n`,
      [400],
      false,
    ],
    ['an absolute target with a bad port', `GET http://a.example:8x/ HTTP/1.1\r\n${H}\r\n`, [400], false],
    [
      'an absolute target with a port beyond 65535',
      `GET http://a.example:70000/ HTTP/1.1\r\n${H}\r\n`,
      [400],
      false,
    ],
    ['an absolute target with a broken IPv6 host', `GET http://[::1/ HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['an absolute target without a host', `GET http:/// HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a scheme alone', `GET http: HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a javascript target', `GET javascript:alert(1) HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a file target', `GET file:///etc/passwd HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['authority form with GET', `GET a.example:443 HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['CONNECT', `CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n`, [501], false],
    ['CONNECT with a path', `CONNECT /x HTTP/1.1\r\n${H}\r\n`, [501], false],
    ['asterisk form with OPTIONS', `OPTIONS * HTTP/1.1\r\n${H}\r\n`, [200], true],
    [
      'an absolute OPTIONS target without a path',
      `OPTIONS http://a.example:80 HTTP/1.1\r\n${H}\r\n`,
      [200],
      true,
    ],
    ['asterisk form with POST', `POST * HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n`, [400], false],
    ['an asterisk with more', `OPTIONS *x HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a backslash first', `GET \\x HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a query alone', `GET ?a HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a fragment', `GET /a#b HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['TRACE, which the application judges', `TRACE / HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['a half percent-encoding at the end', `GET /a% HTTP/1.1\r\n${H}\r\n`, [400], false],
    ['a percent sign and one digit', `GET /a%4 HTTP/1.1\r\n${H}\r\n`, [400], false],
    [
      'a broken percent-encoding in the query, which is the application’s',
      `GET /?a=%zz HTTP/1.1\r\n${H}\r\n`,
      [200],
      true,
    ],
  ],
  'RFC 9112 3.2 and RFC 9110 7.2, Host': [
    ['none', 'GET / HTTP/1.1\r\n\r\n', [400], false],
    ['two that are equal', `GET / HTTP/1.1\r\n${H}${H}\r\n`, [400], false],
    ['two in different case', `GET / HTTP/1.1\r\n${H}HOST: b\r\n\r\n`, [400], false],
    ['two in HTTP/1.0', `GET / HTTP/1.0\r\n${H}${H}\r\n`, [400], false],
    ['a bad one in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a b\r\n\r\n', [400], false],
    ['a list', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', [400], false],
    ['a URL', 'GET / HTTP/1.1\r\nHost: http://a\r\n\r\n', [400], false],
    ['user information', 'GET / HTTP/1.1\r\nHost: u:p@a\r\n\r\n', [400], false],
    ['a query', 'GET / HTTP/1.1\r\nHost: a?b\r\n\r\n', [400], false],
    ['a fragment', 'GET / HTTP/1.1\r\nHost: a#b\r\n\r\n', [400], false],
    ['a backslash', 'GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n', [400], false],
    ['markup', 'GET / HTTP/1.1\r\nHost: <a>\r\n\r\n', [400], false],
    ['a quote', 'GET / HTTP/1.1\r\nHost: "a"\r\n\r\n', [400], false],
    ['a byte above ASCII', 'GET / HTTP/1.1\r\nHost: caf\xe9\r\n\r\n', [400], false],
    ['a port that is none', 'GET / HTTP/1.1\r\nHost: a:80a\r\n\r\n', [400], false],
    ['a negative port', 'GET / HTTP/1.1\r\nHost: a:-80\r\n\r\n', [400], false],
    ['a port beyond 65535', 'GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n', [400], false],
    ['two ports', 'GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n', [400], false],
    ['a port alone', 'GET / HTTP/1.1\r\nHost: :80\r\n\r\n', [400], false],
    ['an IPv6 address without brackets', 'GET / HTTP/1.1\r\nHost: ::1\r\n\r\n', [400], false],
    ['an IPv6 address that is none', 'GET / HTTP/1.1\r\nHost: [1:2]\r\n\r\n', [400], false],
    ['an open bracket', 'GET / HTTP/1.1\r\nHost: [::1\r\n\r\n', [400], false],
    ['a broken percent-encoding', 'GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n', [400], false],
    ['an empty port', 'GET / HTTP/1.1\r\nHost: a:\r\n\r\n', [200], true],
    ['a port with leading zeros', 'GET / HTTP/1.1\r\nHost: a:0080\r\n\r\n', [200], true],
    ['an IPv4 address', 'GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n', [200], true],
    ['an IPv6 address', 'GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n', [200], true],
    ['an underscore, as in service names', 'GET / HTTP/1.1\r\nHost: my_service:80\r\n\r\n', [200], true],
    ['in upper case', 'GET / HTTP/1.1\r\nHost: EXAMPLE.ORG\r\n\r\n', [200], true],
    ['a final dot', 'GET / HTTP/1.1\r\nHost: example.org.\r\n\r\n', [200], true],
    ['after other fields', 'GET / HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n', [200], true],
  ],
  'RFC 9112 5 and RFC 9110 5, fields': [
    ['white space before the colon', `${G}X : y\r\n\r\n`, [400], false],
    ['a tab before the colon', `${G}X\t: y\r\n\r\n`, [400], false],
    ['white space within a name', `${G}X Y: z\r\n\r\n`, [400], false],
    ['an empty name', `${G}: y\r\n\r\n`, [400], false],
    ['a line without a colon', `${G}X\r\n\r\n`, [400], false],
    ['parentheses in a name', `${G}X(y): z\r\n\r\n`, [400], false],
    ['a slash in a name', `${G}X/y: z\r\n\r\n`, [400], false],
    ['brackets in a name', `${G}X[]: z\r\n\r\n`, [400], false],
    ['a NUL in a name', `${G}X\0: z\r\n\r\n`, [400], false],
    ['a CR in a name', `${G}X\r: z\r\n\r\n`, [400], false],
    ['a folded line', `${G}X: a\r\n\tb\r\n\r\n`, [400], false],
    ['a folded line of white space only', `${G}X: a\r\n \r\n\r\n`, [400], false],
    ['a NUL in a value', `${G}X: a\0\r\n\r\n`, [400], false],
    ['a BEL in a value', `${G}X: a\x07\r\n\r\n`, [400], false],
    ['a VT in a value', `${G}X: a\x0bb\r\n\r\n`, [400], false],
    ['a bare CR in a value', `${G}X: a\rb\r\n\r\n`, [400], false],
    ['a bare LF in a value', `${G}X: a\nY: b\r\n\r\n`, [400], false],
    ['no white space after the colon', `${G}X:y\r\n\r\n`, [200], true],
    ['much white space around the value', `${G}X: \t  y \t \r\n\r\n`, [200], true],
    ['an empty value', `${G}X:\r\n\r\n`, [200], true],
    ['a value of white space', `${G}X: \t \r\n\r\n`, [200], true],
    ['a tab within a value', `${G}X: a\tb\r\n\r\n`, [200], true],
    ['latin-1 in a value', `${G}X: \xe9\xff\r\n\r\n`, [200], true],
    ['a name of odd token characters', `${G}!#$%&'*+-.^_\`|~9: y\r\n\r\n`, [200], true],
    ['a field of 16,000 bytes', `${G}X: ${'y'.repeat(16_000)}\r\n\r\n`, [200], true],
    ['a name without end', `${G}${'X'.repeat(20_000)}`, [431], false],
    ['a value without end', `${G}X: ${'y'.repeat(20_000)}`, [431], false],
    ['fields without end', `${G}${'X: y\r\n'.repeat(500)}`, [431], false],
    ['a head without end', `${G}${`X: ${'y'.repeat(8000)}\r\n`.repeat(10)}`, [431], false],
  ],
  'RFC 9112 6 and RFC 9110 8.6, Content-Length': [
    ['0', `${P}Content-Length: 0\r\n\r\n`, [200], true],
    ['on GET', `${G}Content-Length: 1\r\n\r\na`, [200], true],
    ['white space around it', `${P}Content-Length: \t 1 \t\r\n\r\na`, [200], true],
    ['a body that looks like a request', `${P}Content-Length: ${NEXT.length}\r\n\r\n${NEXT}`, [200], true],
    ['a surplus, which is the next request', `${P}Content-Length: 1\r\n\r\na${NEXT}`, [200, 200], true],
    ['a surplus that is garbage', `${P}Content-Length: 1\r\n\r\nabc\r\n\r\n`, [200, 400], false],
    ['two that differ', `${P}Content-Length: 1\r\nContent-Length: 2\r\n\r\na`, [400], false],
    ['two that are equal', `${P}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`, [400], false],
    ['two in different case', `${P}Content-Length: 1\r\ncontent-length: 1\r\n\r\na`, [400], false],
    ['a list', `${P}Content-Length: 1, 1\r\n\r\na`, [400], false],
    ['a list with an empty element', `${P}Content-Length: 1,\r\n\r\na`, [400], false],
    ['a plus', `${P}Content-Length: +1\r\n\r\na`, [400], false],
    ['a minus', `${P}Content-Length: -1\r\n\r\na`, [400], false],
    ['minus zero', `${P}Content-Length: -0\r\n\r\n`, [400], false],
    ['an exponent', `${P}Content-Length: 1e0\r\n\r\na`, [400], false],
    ['a fraction', `${P}Content-Length: 1.0\r\n\r\na`, [400], false],
    ['hexadecimal', `${P}Content-Length: 0x1\r\n\r\na`, [400], false],
    ['octal in other notation', `${P}Content-Length: 0o1\r\n\r\na`, [400], false],
    ['white space within', `${P}Content-Length: 1 1\r\n\r\na`, [400], false],
    ['an underscore', `${P}Content-Length: 1_0\r\n\r\na`, [400], false],
    ['a quote', `${P}Content-Length: "1"\r\n\r\na`, [400], false],
    ['text', `${P}Content-Length: one\r\n\r\na`, [400], false],
    ['empty', `${P}Content-Length: \r\n\r\na`, [400], false],
    ['another digit of Unicode', `${P}Content-Length: \xb9\r\n\r\na`, [400], false],
    ['a vertical tab before it', `${P}Content-Length: \x0b1\r\n\r\na`, [400], false],
    ['2 to the power of 64', `${P}Content-Length: 18446744073709551616\r\n\r\na`, [413], false],
    ['2 to the power of 64 plus one', `${P}Content-Length: 18446744073709551617\r\n\r\na`, [413], false],
    ['a hundred digits', `${P}Content-Length: ${'9'.repeat(100)}\r\n\r\na`, [413], false],
    ['over the limit', `${P}Content-Length: 134217729\r\n\r\na`, [413], false],
    [
      'over the limit, with an expectation',
      `${P}Content-Length: 134217729\r\nExpect: 100-continue\r\n\r\n`,
      [413],
      false,
    ],
    [
      'spelled Content_Length, which is another field',
      `${G}Content_Length: 5\r\n\r\n${NEXT}`,
      [200, 200],
      true,
    ],
    ['a space in its name', `${P}Content-Length : 1\r\n\r\na`, [400], false],
    [
      'with Transfer-Encoding',
      `${P}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      [400],
      false,
    ],
    [
      'after Transfer-Encoding',
      `${P}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
      [400],
      false,
    ],
    [
      'with an unknown Transfer-Encoding',
      `${P}Content-Length: 5\r\nTransfer-Encoding: soba\r\n\r\nhello`,
      [400],
      false,
    ],
  ],
  'RFC 9112 6.1, Transfer-Encoding': [
    ['chunked', `${T}1\r\na\r\n0\r\n\r\n`, [200], true],
    ['in mixed case', `${P}Transfer-Encoding: ChUnKeD\r\n\r\n0\r\n\r\n`, [200], true],
    ['with white space around it', `${P}Transfer-Encoding: \t chunked \t\r\n\r\n0\r\n\r\n`, [200], true],
    ['on GET', `${G}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`, [200], true],
    ['in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', [400], false],
    [
      'gzip, chunked: a coding that is not known',
      `${P}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      [501],
      false,
    ],
    ['gzip alone: nobody knows where the body ends', `${P}Transfer-Encoding: gzip\r\n\r\n`, [400], false],
    ['an unknown coding alone', `${P}Transfer-Encoding: soba\r\n\r\n`, [400], false],
    ['chunked, gzip', `${P}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, [400], false],
    ['chunked, chunked', `${P}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`, [400], false],
    ['chunked, identity', `${P}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, [400], false],
    ['identity', `${P}Transfer-Encoding: identity\r\n\r\n`, [400], false],
    ['identity, chunked', `${P}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n`, [400], false],
    ['chunked with a parameter', `${P}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n`, [400], false],
    ['chunked in quotes', `${P}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`, [400], false],
    ['an element that is empty', `${P}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`, [400], false],
    ['xchunked', `${P}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, [400], false],
    ['chunked with a NUL', `${P}Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n`, [400], false],
    ['a vertical tab before chunked', `${P}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`, [400], false],
    [
      'a byte above ASCII before chunked',
      `${P}Transfer-Encoding: \xffchunked\r\n\r\n0\r\n\r\n`,
      [400],
      false,
    ],
    [
      'a non-breaking space before chunked',
      `${P}Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n`,
      [400],
      false,
    ],
    ['a space before the colon', `${P}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, [400], false],
    ['a folded value', `${P}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`, [400], false],
    ['two lines', `${P}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, [400], false],
    [
      'two lines, the second empty',
      `${P}Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n`,
      [400],
      false,
    ],
    [
      'Transfer_Encoding, which is another field',
      `${G}Transfer_Encoding: chunked\r\n\r\n${NEXT}`,
      [200, 200],
      true,
    ],
  ],
  'RFC 9112 7.1, chunks': [
    [
      'sizes in both cases and with leading zeros',
      `${T}00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n`,
      [200],
      true,
    ],
    ['the next request follows at once', `${T}1\r\na\r\n0\r\n\r\n${NEXT}`, [200, 200], true],
    ['data that looks like the last chunk', `${T}5\r\n0\r\n\r\n\r\n0\r\n\r\n`, [200], true],
    ['extensions', `${T}1;a;b=c;d="e"\r\na\r\n0;last\r\n\r\n`, [200], true],
    [
      'bad white space around extensions (RFC 9110 5.6.3)',
      `${T}1 ; a = b ;\tc\r\na\r\n0 ;x\r\n\r\n`,
      [200],
      true,
    ],
    [
      'a quoted extension with separators and escapes',
      `${T}1;a="\\"; \\\\ ,"\r\na\r\n0\r\n\r\n`,
      [200],
      true,
    ],
    ['white space after the size and no extension', `${T}1 \r\na\r\n0\r\n\r\n`, [400], false],
    ['a tab after the size', `${T}1\t\r\na\r\n0\r\n\r\n`, [400], false],
    ['white space after the last size', `${T}0 \r\n\r\n`, [400], false],
    ['white space before the size', `${T} 1\r\na\r\n0\r\n\r\n`, [400], false],
    ['no size', `${T}\r\n`, [400], false],
    ['a size that is no hexadecimal', `${T}g\r\na\r\n0\r\n\r\n`, [400], false],
    ['a minus', `${T}-1\r\na\r\n0\r\n\r\n`, [400], false],
    ['a plus', `${T}+1\r\na\r\n0\r\n\r\n`, [400], false],
    ['0x', `${T}0x1\r\na\r\n0\r\n\r\n`, [400], false],
    ['an underscore in the size', `${T}1_0\r\na\r\n0\r\n\r\n`, [400], false],
    ['2 to the power of 64 plus one', `${T}10000000000000001\r\na\r\n0\r\n\r\n`, [413], false],
    ['zeros without end', `${T}${'0'.repeat(100)}1\r\na\r\n0\r\n\r\n`, [413], false],
    ['a size over the limit of bodies', `${T}8000001\r\na`, [413], false],
    ['LF after the size', `${T}1\na\r\n0\r\n\r\n`, [400], false],
    ['LF after the data', `${T}1\r\na\n0\r\n\r\n`, [400], false],
    ['CR after the data', `${T}1\r\na\r0\r\n\r\n`, [400], false],
    ['nothing after the data', `${T}1\r\na0\r\n\r\n`, [400], false],
    ['more data than the size', `${T}1\r\nab\r\n0\r\n\r\n`, [400], false],
    ['less data than the size', `${T}3\r\na\r\n0\r\n\r\n`, [400], false],
    ['LF after the last chunk', `${T}0\n\n`, [400], false],
    ['an extension ended by LF', `${T}1;a\na\r\n0\r\n\r\n`, [400], false],
    ['an extension with a bare CR', `${T}1;a\rb\r\na\r\n0\r\n\r\n`, [400], false],
    ['a quoted extension with CRLF', `${T}1;a="\r\n0\r\n\r\n"\r\na\r\n0\r\n\r\n`, [400], false],
    ['a quoted extension with an escaped CR', `${T}1;a="\\\r"\r\na\r\n0\r\n\r\n`, [400], false],
    ['an extension with a NUL', `${T}1;a\0\r\na\r\n0\r\n\r\n`, [400], false],
    ['an extension of a comma', `${T}1,a\r\na\r\n0\r\n\r\n`, [400], false],
    ['an extension with two values', `${T}1;a=b=c\r\na\r\n0\r\n\r\n`, [400], false],
    ['an extension without a value', `${T}1;a=\r\na\r\n0\r\n\r\n`, [400], false],
    ['a flood of extensions', `${T}${`1;${'a'.repeat(500)}\r\na\r\n`.repeat(40)}`, [400], false],
  ],
  'RFC 9112 7.1.2 and RFC 9110 6.5, trailers': [
    ['fields', `${T}0\r\nDigest: x\r\nX-Y: z\r\n\r\n${NEXT}`, [200, 200], true],
    ['Content-Length', `${T}0\r\nContent-Length: 5\r\n\r\n`, [400], false],
    ['Transfer-Encoding', `${T}0\r\nTransfer-Encoding: chunked\r\n\r\n`, [400], false],
    ['Host', `${T}0\r\nHost: b\r\n\r\n`, [400], false],
    ['a folded line', `${T}0\r\nX: y\r\n z\r\n\r\n`, [400], false],
    ['white space before the colon', `${T}0\r\nX : y\r\n\r\n`, [400], false],
    ['a control character', `${T}0\r\nX: \x01\r\n\r\n`, [400], false],
    ['LF alone', `${T}0\r\nX: y\n\r\n`, [400], false],
    ['a request instead', `${T}0\r\n${NEXT}`, [400], false],
    ['too many', `${T}0\r\n${'X: y\r\n'.repeat(200)}\r\n`, [431], false],
    ['one too long', `${T}0\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`, [431], false],
  ],
  'RFC 9112 9.3, persistence': [
    ['HTTP/1.1 stays open', `${G}\r\n${NEXT}`, [200, 200], true],
    ['close', `${G}Connection: close\r\n\r\n${NEXT}`, [200], false],
    ['Close in a list, in any case', `${G}Connection: X-Y, CLOSE\r\n\r\n${NEXT}`, [200], false],
    [
      'close in a second line',
      `${G}Connection: keep-alive\r\nConnection: close\r\n\r\n${NEXT}`,
      [200],
      false,
    ],
    ['close with empty elements', `${G}Connection: ,, close ,\r\n\r\n${NEXT}`, [200], false],
    ['closed, which is another option', `${G}Connection: closed\r\n\r\n${NEXT}`, [200, 200], true],
    ['HTTP/1.0 closes', `GET / HTTP/1.0\r\n\r\n${NEXT}`, [200], false],
    ['HTTP/1.0 with keep-alive', `GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n${NEXT}`, [200, 200], true],
    [
      'HTTP/1.0 with keep-alive and close',
      `GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n${NEXT}`,
      [200],
      false,
    ],
    ['after an error nothing is read', `GET /\r\n\r\n${NEXT}${NEXT}`, [400], false],
    ['requests before an error are answered', `${NEXT}${NEXT}GET /\r\n\r\n${NEXT}`, [200, 200, 400], false],
  ],
  'RFC 9110 10.1.1, Expect': [
    [
      '100-continue with a body to come',
      `${P}Content-Length: 1\r\nExpect: 100-continue\r\n\r\n`,
      [100],
      true,
    ],
    ['in any case', `${P}Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n`, [100], true],
    ['with the body at hand', `${P}Content-Length: 1\r\nExpect: 100-continue\r\n\r\na`, [200], true],
    ['without a body', `${G}Expect: 100-continue\r\n\r\n`, [200], true],
    [
      'in HTTP/1.0, ignored',
      `POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na`,
      [200],
      false,
    ],
    [
      'in HTTP/1.0, nothing is said',
      `POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n`,
      [],
      true,
    ],
    ['unknown', `${P}Content-Length: 1\r\nExpect: tea\r\n\r\na`, [417], false],
    [
      'unknown beside a known one',
      `${P}Content-Length: 1\r\nExpect: 100-continue, tea\r\n\r\na`,
      [417],
      false,
    ],
    [
      'unknown before a known one, in two lines',
      `${P}Content-Length: 1\r\nExpect: tea\r\nExpect: 100-continue\r\n\r\na`,
      [417],
      false,
    ],
    ['with a parameter', `${P}Content-Length: 1\r\nExpect: 100-continue;a=b\r\n\r\na`, [417], false],
    ['empty, which expects nothing', `${P}Content-Length: 1\r\nExpect:\r\n\r\na`, [200], true],
  ],
  'RFC 9110 7.8, Upgrade': [
    [
      'h2c, which is not offered',
      `${G}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
      [200],
      true,
    ],
    ['TLS/1.0', `${G}Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n`, [200], true],
    ['without naming it in Connection', `${G}Upgrade: websocket\r\n\r\n`, [200], true],
    ['in HTTP/1.0', 'GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', [200], false],
    [
      'with a body',
      `${P}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na${NEXT}`,
      [200, 200],
      true,
    ],
    ['a WebSocket of no version', `${G}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, [426], false],
  ],
  'RFC 9110 9, methods': [
    ['unknown ones go to the application', `SOBA / HTTP/1.1\r\n${H}\r\n`, [200], true],
    ['in lower case', `get / HTTP/1.1\r\n${H}\r\n`, [501], false],
    ['in mixed case', `Get / HTTP/1.1\r\n${H}\r\n`, [501], false],
    ['DELETE with a body', `DELETE / HTTP/1.1\r\n${H}Content-Length: 1\r\n\r\na`, [200], true],
    ['HEAD', `HEAD / HTTP/1.1\r\n${H}\r\n`, [200], true],
  ],
};

for (const [section, cases] of Object.entries(bank)) {
  for (const [what, raw, statuses, open] of cases) {
    test(`${section}: ${what}`, async () => {
      const conversation = await converse(raw);
      assert.deepEqual(
        conversation.answers.map((answer) => answer.status),
        statuses,
        conversation.text,
      );
      assert.equal(conversation.open, open, open ? 'stays open' : 'is closed');
      const last = conversation.answers.at(-1);
      if (last !== undefined && last.status >= 200) {
        const says = /\r\nconnection: (?:[^\r]*, )?close\r\n/.test(last.head);
        assert.equal(says, !open, 'the answer says what becomes of the connection');
        assert.match(last.head, /\r\ndate: /, 'an origin server with a clock says the date');
      }
      for (const answer of conversation.answers.slice(0, -1))
        assert.doesNotMatch(answer.head, /\r\nconnection: close\r\n/);
    });
  }
}

test('what is read of the odd ones', async () => {
  const one = async (raw: string): Promise<Seen> => seen((await converse(raw)).answers[0]);
  for (const [target, path, rawPath, queryString] of [
    ['/a%20b', '/a b', '/a%20b', ''],
    ['/%00', '/\0', '/%00', ''],
    ['/a%2Fb', '/a/b', '/a%2Fb', ''],
    ['/%c3%a9', '/é', '/%c3%a9', ''],
    ['/%ff', '/\ufffd', '/%ff', ''],
    ['/%c0%af', '/\ufffd\ufffd', '/%c0%af', ''],
    ['/%ed%a0%80', '/\ufffd\ufffd\ufffd', '/%ed%a0%80', ''],
    ['/+', '/+', '/+', ''],
    ['/a?b%20c?d', '/a', '/a', 'b%20c?d'],
    ['/?', '/', '/', ''],
    ['http://b.example', '/', '/', ''],
    ['http://b.example?x', '/', '/', 'x'],
    ['/http://b.example/', '/http://b.example/', '/http://b.example/', ''],
  ] as const) {
    const got = await one(`GET ${target} HTTP/1.1\r\n${H}\r\n`);
    assert.deepEqual([got.path, got.rawPath, got.queryString], [path, rawPath, queryString], target);
  }
  assert.equal((await one(`GET / HTTP/1.7\r\n${H}\r\n`)).httpVersion, '1.1');
  assert.equal((await one('GET / HTTP/1.0\r\n\r\n')).httpVersion, '1.0');
  assert.equal((await one(`${T}1 ; a = b\r\na\r\n02\r\nbc\r\n0\r\nX: y\r\n\r\n`)).body, 'abc');
  assert.equal((await one(`${T}5\r\n0\r\n\r\n\r\n0\r\n\r\n`)).body, '0\r\n\r\n');
  assert.equal((await one(`${P}Content-Length: ${NEXT.length}\r\n\r\n${NEXT}`)).body, NEXT);
  assert.deepEqual((await one(`${G}X: \t a \t b \r\nx:\r\n\r\n`)).headers.slice(1), [
    ['x', 'a \t b'],
    ['x', ''],
  ]);
});

test('nobody answers HEAD with a body, whatever is wrong with it', async () => {
  for (const raw of [
    'HEAD / HTTP/1.1\r\n\r\n',
    '\r\nHEAD / HTTP/1.1\r\n\r\n',
    `HEAD /#x HTTP/1.1\r\n${H}\r\n`,
    `HEAD / HTTP/1.1\r\n${H}Expect: tea\r\n\r\n`,
    `HEAD / HTTP/1.1\r\n${H}\r\n`,
  ]) {
    const { text } = await converse(raw);
    assert.ok(text.endsWith('\r\n\r\n') && text.indexOf('\r\n\r\n') === text.length - 4, text);
  }
});

test('426 says to what (RFC 9110 15.5.22)', async () => {
  const { text } = await converse(
    `${G}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n`,
  );
  assert.match(text, /\r\nconnection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n/);
});

test('every case of the bank, byte by byte, is judged the same', async () => {
  for (const [section, cases] of Object.entries(bank)) {
    for (const [what, raw, statuses] of cases) {
      if (raw.length > 3000) continue;
      const connection = new RawConnection(mirror);
      for (const char of raw) connection.feed(char);
      for (let turn = 0; turn < 4; turn++) await connection.settle();
      // A body that comes bit by bit has not come along with its head: then 100 Continue is said.
      const got = parse(connection.output, raw.startsWith('HEAD')).map((answer) => answer.status);
      const wanted = raw.includes('Expect: 100') ? got.filter((status) => status !== 100) : got;
      assert.deepEqual(
        wanted,
        statuses.filter((status) => status !== 100),
        `${section}: ${what}`,
      );
    }
  }
});
