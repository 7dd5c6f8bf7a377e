/**
 * What RFC 6455 (WebSocket) and RFC 7692 (permessage-deflate) demand of a server, in the order of the well-known suite for
 * WebSockets: frames as raw bytes in, frames as raw bytes out.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Application } from 'sobaya/asgi';
import { Event, sleep } from 'sobaya/asyncio';
import { RawConnection, type ServeOptions, type Server, serve, silentLog } from 'sobaya/server';
import WebSocket from 'ws';

/** Sends everything back; the reason of the end is kept. */
let left: [code: number, reason: string][] = [];
const echo: Application = async (scope, receive, send) => {
  if (scope.type !== 'websocket') throw new Error('only websockets');
  await receive();
  await send({ type: 'websocket.accept', subprotocol: scope.subprotocols[0] ?? null });
  for (;;) {
    const event = await receive();
    if (event.type === 'websocket.disconnect') {
      left.push([event.code, event.reason]);
      return;
    }
    if (event.type === 'websocket.receive') {
      const { bytes = null, text = null } = event;
      await send({ type: 'websocket.send', bytes, text });
    }
  }
};

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
function handshake(fields = '', line = 'GET / HTTP/1.1'): string {
  return `${line}\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${fields}\r\n`;
}

// The framing is loaded with the first WebSocket.
before(async () => void (await open()));

async function settled(connection: RawConnection): Promise<void> {
  let size = -1;
  for (let turn = 0; turn < 500 && (connection.output.length !== size || connection.output === ''); turn++) {
    size = connection.output.length;
    await connection.settle();
  }
}

async function open(fields = '', options: ServeOptions = {}): Promise<RawConnection> {
  const connection = new RawConnection(echo, options);
  connection.feed(handshake(fields));
  await settled(connection);
  assert.match(connection.output, /^HTTP\/1\.1 101 /);
  left = [];
  return connection;
}

interface Shape {
  fin?: boolean;
  rsv?: number;
  mask?: Buffer | null;
  /** What the length field says; default: the truth. */
  length?: number;
}

function frame(opcode: number, payload: string | Buffer = '', shape: Shape = {}): Buffer {
  const { fin = true, rsv = 0, mask = Buffer.from([1, 2, 3, 4]) } = shape;
  const data = Buffer.from(payload as string);
  const length = shape.length ?? data.length;
  const masked = mask === null ? 0 : 0x80;
  let head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, masked | Math.min(length, 126)]);
  if (length > 65535) {
    head[1] = masked | 127;
    const wide = Buffer.alloc(8);
    wide.writeBigUInt64BE(BigInt(length));
    head = Buffer.concat([head, wide]);
  } else if (length > 125) head = Buffer.concat([head, Buffer.from([length >> 8, length & 255])]);
  if (mask === null) return Buffer.concat([head, data]);
  const body = data.map((byte, index) => byte ^ mask[index % 4]!);
  return Buffer.concat([head, mask, body]);
}

interface Got {
  opcode: number;
  rsv1: boolean;
  payload: Buffer;
}

/** Frames of a server: whole, not masked, of known kinds. */
function frames(output: string): Got[] {
  const found: Got[] = [];
  for (let rest = Buffer.from(output, 'latin1'); rest.length > 0; ) {
    const [first, second] = [rest[0]!, rest[1]!];
    assert.equal(first & 0x30, 0, 'RSV2 and RSV3 are clear');
    assert.equal(second & 0x80, 0, 'a server masks nothing');
    let length = second & 0x7f;
    let at = 2;
    if (length === 126) {
      length = rest.readUInt16BE(2);
      at = 4;
      assert.ok(length > 125, 'the shortest form of the length');
    } else if (length === 127) {
      length = Number(rest.readBigUInt64BE(2));
      at = 10;
      assert.ok(length > 65535, 'the shortest form of the length');
    }
    found.push({
      opcode: first & 15,
      rsv1: (first & 0x40) !== 0,
      payload: rest.subarray(at, at + length),
    });
    rest = rest.subarray(at + length);
  }
  return found;
}

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const close = (code: number, reason: string | Buffer = ''): Buffer =>
  Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason as string)]);
const fragment = (opcode: number, payload: string | Buffer, fin = false): Buffer =>
  frame(opcode, payload, { fin });

/** What comes back, readable: `text:soba`, `pong:x`, `close:1002`. */
function readable({ opcode, payload: sent, rsv1 }: Got): string {
  const payload = rsv1 ? inflated(sent) : sent;
  if (opcode === CLOSE) return payload.length === 0 ? 'close' : `close:${payload.readUInt16BE(0)}`;
  const name =
    { [TEXT]: 'text', [BINARY]: 'binary', [PING]: 'ping', [PONG]: 'pong' }[opcode] ?? `opcode ${opcode}`;
  return `${name}:${payload.length > 100 ? payload.length : payload.toString('latin1')}`;
}

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const long = (size: number): string => '*'.repeat(size);
const KAPPA = 'κόσμε';

type Case = [what: string, sent: Buffer[], back: string[]];
const bank: Record<string, Case[]> = {
  'messages (5.2, 5.6)': [
    ['empty text', [frame(TEXT)], ['text:']],
    ['empty binary', [frame(BINARY)], ['binary:']],
    ...[125, 126, 127, 128, 65535, 65536].flatMap((size): Case[] => [
      [`text of ${size}`, [frame(TEXT, long(size))], [`text:${size}`]],
      [`binary of ${size}`, [frame(BINARY, Buffer.alloc(size, 0xfe))], [`binary:${size}`]],
    ]),
    ['a mask of zeros', [frame(TEXT, 'soba', { mask: Buffer.alloc(4) })], ['text:soba']],
    ['no mask', [frame(TEXT, 'soba', { mask: null })], ['close:1002']],
    ['no mask on a control frame', [frame(PING, '', { mask: null })], ['close:1002']],
  ],
  'pings and pongs (5.5.2, 5.5.3)': [
    ['an empty ping', [frame(PING)], ['pong:']],
    ['a ping with a payload', [frame(PING, 'soba')], ['pong:soba']],
    ['a ping of any bytes', [frame(PING, Buffer.from([0, 255, 254]))], ['pong:\x00\xff\xfe']],
    ['a ping of 125', [frame(PING, long(125))], ['pong:125']],
    ['a ping of 126', [frame(PING, long(126))], ['close:1002']],
    [
      'ten pings',
      Array.from({ length: 10 }, (_, i) => frame(PING, `${i}`)),
      Array.from({ length: 10 }, (_, i) => `pong:${i}`),
    ],
    ['a pong that nobody asked for', [frame(PONG), frame(PONG, 'x'), frame(PING, 'y')], ['pong:y']],
    ['a pong of 126', [frame(PONG, long(126))], ['close:1002']],
    ['a ping in two fragments', [fragment(PING, 'a'), fragment(0, 'b', true)], ['close:1002']],
    ['a pong in two fragments', [fragment(PONG, 'a'), fragment(0, 'b', true)], ['close:1002']],
  ],
  'reserved bits and opcodes (5.2)': [
    ...[1, 2, 3, 4, 5, 6, 7].map((rsv): Case => [`RSV ${rsv}`, [frame(TEXT, 'x', { rsv })], ['close:1002']]),
    ['RSV on a ping', [frame(PING, '', { rsv: 4 })], ['close:1002']],
    ['RSV on a close', [frame(CLOSE, '', { rsv: 1 })], ['close:1002']],
    ['RSV after a good message', [frame(TEXT, 'a'), frame(TEXT, 'b', { rsv: 1 })], ['text:a', 'close:1002']],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
      (opcode): Case => [`opcode ${opcode}`, [frame(opcode, 'x')], ['close:1002']],
    ),
  ],
  'fragments (5.4)': [
    ['text in two', [fragment(TEXT, 'so'), fragment(0, 'ba', true)], ['text:soba']],
    ['binary in three', [fragment(BINARY, 'a'), fragment(0, 'b'), fragment(0, 'c', true)], ['binary:abc']],
    ['empty ones', [fragment(TEXT, ''), fragment(0, ''), fragment(0, '', true)], ['text:']],
    [
      'a middle one that is not empty',
      [fragment(TEXT, ''), fragment(0, 'x'), fragment(0, '', true)],
      ['text:x'],
    ],
    [
      'a ping between',
      [fragment(TEXT, 'so'), frame(PING, 'p'), fragment(0, 'ba', true)],
      ['pong:p', 'text:soba'],
    ],
    ['a pong between', [fragment(TEXT, 'so'), frame(PONG, 'p'), fragment(0, 'ba', true)], ['text:soba']],
    [
      'a close between',
      [fragment(TEXT, 'so'), frame(CLOSE, close(1000)), fragment(0, 'ba', true)],
      ['close:1000'],
    ],
    ['one that continues nothing', [fragment(0, 'x', true)], ['close:1002']],
    ['one that continues nothing, to be continued', [fragment(0, 'x')], ['close:1002']],
    [
      'one more after the end',
      [fragment(TEXT, 'a'), fragment(0, 'b', true), fragment(0, 'c', true)],
      ['text:ab', 'close:1002'],
    ],
    ['text within text', [fragment(TEXT, 'a'), frame(TEXT, 'b')], ['close:1002']],
    ['binary within text', [fragment(TEXT, 'a'), fragment(BINARY, 'b')], ['close:1002']],
  ],
  'UTF-8 (8.1)': [
    ['in one frame', [frame(TEXT, 'Hello-µ@ßöäüàá-UTF-8!!')], [`text:${utf8('Hello-µ@ßöäüàá-UTF-8!!')}`]],
    [
      'cut between characters',
      [fragment(TEXT, 'Hello-µ'), fragment(0, 'ß!', true)],
      [`text:${utf8('Hello-µß!')}`],
    ],
    [
      'cut within a character',
      [fragment(TEXT, Buffer.from('κ').subarray(0, 1)), fragment(0, Buffer.from('κ').subarray(1), true)],
      [`text:${utf8('κ')}`],
    ],
    [
      'a byte at a time',
      [...Buffer.from(KAPPA)].map((byte, index, all) =>
        fragment(index === 0 ? TEXT : 0, Buffer.from([byte]), index === all.length - 1),
      ),
      [`text:${utf8(KAPPA)}`],
    ],
    [
      'the highest of each length',
      [frame(TEXT, '\u007f\u07ff\ud7ff\uffff\u{10ffff}')],
      [`text:${utf8('\u007f\u07ff\ud7ff\uffff\u{10ffff}')}`],
    ],
    [
      'no characters, which are allowed',
      [frame(TEXT, '\ufffe\uffff\u{1fffe}')],
      [`text:${utf8('\ufffe\uffff\u{1fffe}')}`],
    ],
    ['a NUL', [frame(TEXT, '\0')], ['text:\0']],
    ...(
      [
        ['a byte that begins nothing', [0x80]],
        ['0xfe', [0xfe]],
        ['0xff', [0xff]],
        ['a character without its end', [0xce]],
        ['another without its end', [0xf0, 0x9f, 0x8d]],
        ['an end too many', [0xce, 0xba, 0xba]],
        ['a surrogate', [0xed, 0xa0, 0x80]],
        ['a pair of surrogates', [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80]],
        ['an overlong slash of two', [0xc0, 0xaf]],
        ['an overlong slash of three', [0xe0, 0x80, 0xaf]],
        ['an overlong slash of four', [0xf0, 0x80, 0x80, 0xaf]],
        ['an overlong NUL', [0xc0, 0x80]],
        ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
        ['five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]],
        ['six bytes', [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
      ] as [string, number[]][]
    ).flatMap(([what, bytes]): Case[] => [
      [what, [frame(TEXT, Buffer.from(bytes))], ['close:1007']],
      [
        `${what}, after good text and in fragments`,
        [fragment(TEXT, KAPPA), fragment(0, Buffer.from(bytes), true)],
        ['close:1007'],
      ],
      [
        `${what}, in binary`,
        [frame(BINARY, Buffer.from(bytes))],
        [`binary:${Buffer.from(bytes).toString('latin1')}`],
      ],
      [`${what}, in the reason of a close`, [frame(CLOSE, close(1000, Buffer.from(bytes)))], ['close:1007']],
    ]),
  ],
  'closing (5.5.1, 7.4)': [
    ['without a code', [frame(CLOSE)], ['close']],
    ['with one byte', [frame(CLOSE, 'x')], ['close:1002']],
    ['with a reason of 123', [frame(CLOSE, close(1000, long(123)))], ['close:1000']],
    ['with a reason of 124', [frame(CLOSE, close(1000, long(124)))], ['close:1002']],
    ['after a message', [frame(TEXT, 'a'), frame(CLOSE, close(1000))], ['text:a', 'close:1000']],
    ['and a message after it', [frame(CLOSE, close(1000)), frame(TEXT, 'a')], ['close:1000']],
    ['and a ping after it', [frame(CLOSE, close(1000)), frame(PING)], ['close:1000']],
    ['twice', [frame(CLOSE, close(1000)), frame(CLOSE, close(1001))], ['close:1000']],
    ['in two fragments', [fragment(CLOSE, close(1000)), fragment(0, '', true)], ['close:1002']],
    ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
      (code): Case => [`with ${code}`, [frame(CLOSE, close(code))], [`close:${code}`]],
    ),
    ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map(
      (code): Case => [`with ${code}, which nobody may send`, [frame(CLOSE, close(code))], ['close:1002']],
    ),
  ],
  'limits (7.4.1)': [
    [
      'a message over the limit, by its head alone',
      [frame(BINARY, '', { length: 16 * 1024 * 1024 + 1 })],
      ['close:1009'],
    ],
    [
      'a length beyond numbers',
      [Buffer.from([0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4])],
      ['close:1009'],
    ],
    [
      'a length with its highest bit',
      [Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4])],
      ['close:1009'],
    ],
  ],
};

for (const [section, cases] of Object.entries(bank)) {
  for (const [what, sent, back] of cases) {
    test(`${section}: ${what}`, async () => {
      // At once, and byte by byte: a stream has no packets.
      const whole = Buffer.concat(sent);
      const cuts = whole.length < 3000 ? [whole.length, 1] : [whole.length];
      for (const size of cuts) {
        const connection = await open();
        connection.takeOutput();
        for (let at = 0; at < whole.length; at += size) connection.feed(whole.subarray(at, at + size));
        await settled(connection);
        assert.deepEqual(frames(connection.output).map(readable), back);
        const closes = back.at(-1)?.startsWith('close') === true;
        assert.equal(
          connection.ended,
          closes,
          closes ? 'the server closes the connection (7.1.1)' : 'stays open',
        );
        assert.equal(left.length, closes ? 1 : 0, 'the application hears of the end once');
      }
    });
  }
}

test('the code and reason of the client reach the application', async () => {
  for (const [sent, code, reason] of [
    [frame(CLOSE), 1005, ''],
    [frame(CLOSE, close(1001, 'leaving')), 1001, 'leaving'],
    [frame(CLOSE, close(4321, KAPPA)), 4321, KAPPA],
  ] as const) {
    const connection = await open();
    connection.feed(sent);
    await settled(connection);
    assert.deepEqual(left, [[code, reason]]);
  }
});

test('a message of many small fragments arrives; one of more than 131,072 is refused with 1008', async () => {
  const connection = await open();
  connection.takeOutput();
  const piece = fragment(0, long(64));
  connection.feed(
    Buffer.concat([
      fragment(BINARY, ''),
      ...Array.from({ length: 65_536 }, () => piece),
      fragment(0, '', true),
    ]),
  );
  await settled(connection);
  assert.equal(frames(connection.output)[0]?.payload.length, 4 * 1024 * 1024);
  connection.takeOutput();
  const one = fragment(0, 'x');
  connection.feed(Buffer.concat([fragment(BINARY, ''), ...Array.from({ length: 131_073 }, () => one)]));
  await settled(connection);
  assert.deepEqual(frames(connection.output).map(readable), ['close:1008']);
});

test('handshakes that RFC 6455 4.2.1 refuses, and those it takes', async () => {
  const base = 'Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  const version = 'Sec-WebSocket-Version: 13\r\n';
  const key = `Sec-WebSocket-Key: ${KEY}\r\n`;
  for (const [what, raw, status] of [
    ['as it should be', handshake(), 101],
    [
      'keys of Connection in a list',
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n${version}${key}\r\n`,
      101,
    ],
    [
      'Connection in two lines',
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: upgrade\r\nUpgrade: websocket\r\n${version}${key}\r\n`,
      101,
    ],
    [
      'Upgrade in other case',
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: UPGRADE\r\nUpgrade: WebSocket\r\n${version}${key}\r\n`,
      101,
    ],
    [
      'websocket among others',
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n${version}${key}\r\n`,
      101,
    ],
    ['an Origin, which is the application’s', handshake('Origin: http://evil.example\r\n'), 101],
    ['an extension that is not known', handshake('Sec-WebSocket-Extensions: x-soba; a=1\r\n'), 101],
    ['Content-Length: 0', handshake('Content-Length: 0\r\n'), 101],
    ['no key', `GET / HTTP/1.1\r\n${base}${version}\r\n`, 400],
    ['an empty key', `GET / HTTP/1.1\r\n${base}${version}Sec-WebSocket-Key:\r\n\r\n`, 400],
    [
      'a key that is no base64',
      `GET / HTTP/1.1\r\n${base}${version}Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n\r\n`,
      400,
    ],
    [
      'a key of 15 bytes',
      `GET / HTTP/1.1\r\n${base}${version}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n\r\n`,
      400,
    ],
    ['two keys', handshake(key), 400],
    ['no version', `GET / HTTP/1.1\r\n${base}${key}\r\n`, 426],
    ['version 7', `GET / HTTP/1.1\r\n${base}Sec-WebSocket-Version: 7\r\n${key}\r\n`, 426],
    ['version 013', `GET / HTTP/1.1\r\n${base}Sec-WebSocket-Version: 013\r\n${key}\r\n`, 426],
    ['two versions', handshake(version), 426],
    ['a body', handshake('Content-Length: 1\r\n'), 400],
    ['a chunked body', handshake('Transfer-Encoding: chunked\r\n'), 400],
    ['a subprotocol that is no token', handshake('Sec-WebSocket-Protocol: so ba\r\n'), 400],
    [
      'a subprotocol twice',
      handshake('Sec-WebSocket-Protocol: soba, udon\r\nSec-WebSocket-Protocol: soba\r\n'),
      400,
    ],
    ['extensions against the grammar', handshake('Sec-WebSocket-Extensions: permessage-deflate;;\r\n'), 400],
    ['extensions with an open quote', handshake('Sec-WebSocket-Extensions: x; a="\r\n'), 400],
    ['two Hosts', handshake('Host: b\r\n'), 400],
  ] as const) {
    const connection = new RawConnection(echo);
    connection.feed(raw);
    await settled(connection);
    assert.equal(Number(connection.output.slice(9, 12)), status, `${what}: ${connection.output}`);
    assert.equal(connection.ended, status !== 101, what);
    if (status === 101) {
      assert.equal(
        connection.output.match(/sec-websocket-accept: (\S+)/)?.[1],
        's3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      );
      assert.doesNotMatch(connection.output, /content-length|transfer-encoding|sec-websocket-extensions/);
    }
  }
  const plain = new RawConnection(echo);
  plain.feed(handshake('', 'GET / HTTP/1.0'));
  await settled(plain);
  assert.match(
    plain.output,
    /^HTTP\/1\.1 500 /,
    'HTTP/1.0 has no Upgrade: an ordinary request, which this application has no answer for',
  );
});

test('frames that come before the handshake is answered are read after it', async () => {
  const connection = new RawConnection(echo);
  connection.feed(Buffer.concat([Buffer.from(handshake()), frame(TEXT, 'early'), frame(PING, 'too')]));
  await settled(connection);
  const at = connection.output.indexOf('\r\n\r\n') + 4;
  assert.deepEqual(frames(connection.output.slice(at)).map(readable).sort(), ['pong:too', 'text:early']);
});

test('what an application may not close with', async () => {
  for (const [code, reason, message] of [
    [1005, '', /the code 1005 may not be sent/],
    [1006, '', /the code 1006/],
    [1015, '', /the code 1015/],
    [999, '', /the code 999/],
    [5000, '', /the code 5000/],
    [1000, long(124), /longer than 123 bytes/],
    [1000, 'é'.repeat(62), /longer than 123 bytes/],
  ] as const) {
    let failed: Error | null = null;
    const connection = new RawConnection(async (_scope, receive, send) => {
      await receive();
      await send({ type: 'websocket.accept' });
      await send({ type: 'websocket.close', code, reason }).catch((error: Error) => (failed = error));
    });
    connection.feed(handshake());
    await settled(connection);
    assert.match((failed as Error | null)?.message ?? '', message);
    // It returned: closed as usual.
    assert.deepEqual(
      frames(connection.output.slice(connection.output.indexOf('\r\n\r\n') + 4)).map(readable),
      ['close:1000'],
    );
  }
});

test('an application that does not hear of the client’s leave is cancelled', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const ended = new Event();
  let why = '';
  const connection = new RawConnection(async (_scope, receive, send) => {
    await receive();
    await send({ type: 'websocket.accept' });
    try {
      await new Event().wait();
    } catch (error) {
      why = (error as Error).message;
    }
    ended.set();
  });
  connection.feed(handshake());
  await settled(connection);
  connection.reset();
  await connection.settle();
  assert.equal(ended.isSet, false);
  t.mock.timers.tick(5001);
  await ended.wait();
  assert.match(why, /the client left/);
});

test('the close frame is answered after a second, whatever the application is at', async () => {
  const gate = new Event();
  const got: string[] = [];
  const connection = new RawConnection(async (_scope, receive, send) => {
    await receive();
    await send({ type: 'websocket.accept' });
    await gate.wait();
    for (let event = await receive(); ; event = await receive()) {
      got.push(event.type);
      if (event.type === 'websocket.disconnect') break;
    }
    await send({ type: 'websocket.send', text: 'too late' }).catch((error: Error) => got.push(error.message));
  });
  connection.feed(handshake());
  await settled(connection);
  connection.takeOutput();
  connection.feed(Buffer.concat([frame(TEXT, 'a'), frame(CLOSE, close(1000))]));
  await connection.settle();
  connection.advance(900);
  assert.equal(connection.output, '');
  connection.advance(300);
  assert.deepEqual(frames(connection.output).map(readable), ['close:1000']);
  assert.ok(connection.ended);
  gate.set();
  await connection.settle();
  assert.deepEqual(got.slice(0, 2), ['websocket.receive', 'websocket.disconnect']);
  assert.match(got[2] ?? '', /client left/);
});

test('denials: the length is the server’s, and what has no body has none', async () => {
  const deny =
    (status: number, headers: [string, string][], ...pieces: string[]): Application =>
    async (_scope, receive, send) => {
      await receive();
      await send({ type: 'websocket.http.response.start', status, headers });
      for (const [index, piece] of pieces.entries())
        await send({
          type: 'websocket.http.response.body',
          body: typeof piece === 'string' ? Buffer.from(piece) : piece,
          moreBody: index + 1 < pieces.length,
        });
    };
  for (const [app, expected] of [
    [
      deny(
        401,
        [
          ['content-length', '4'],
          ['x-why', 'token'],
        ],
        'soba',
      ),
      /^HTTP\/1\.1 401 Unauthorized\r\nx-why: token\r\ndate: [^\r]*\r\nserver: sobaya\r\ncontent-length: 4\r\nconnection: close\r\n\r\nsoba$/,
    ],
    [
      deny(403, [], 'so', 'ba'),
      /^HTTP\/1\.1 403 Forbidden\r\ndate: [^\r]*\r\nserver: sobaya\r\nconnection: close\r\n\r\nsoba$/,
    ],
    [
      deny(204, [['content-length', '4']], 'soba'),
      /^HTTP\/1\.1 204 No Content\r\ndate: [^\r]*\r\nserver: sobaya\r\nconnection: close\r\n\r\n$/,
    ],
    [deny(401, [['x', 'a\r\nb']], 'soba'), /^HTTP\/1\.1 500 /],
    [deny(101, [], 'soba'), /^HTTP\/1\.1 500 /],
    // Nothing has been sent yet: the failure can be said.
    [deny(401, []), /^HTTP\/1\.1 500 /],
    [deny(401, [], 5 as unknown as string), /^HTTP\/1\.1 500 /],
  ] as const) {
    const connection = new RawConnection(app);
    connection.feed(handshake());
    await settled(connection);
    assert.match(connection.output, expected);
    assert.ok(connection.ended);
  }
});

// ---- RFC 7692

const deflated = (text: string | Buffer): Buffer => {
  const data = deflateRawSync(Buffer.from(text as string), { finishFlush: constants.Z_SYNC_FLUSH });
  return data.subarray(0, data.length - 4);
};
function inflated(data: Buffer): Buffer {
  const ended = Buffer.concat([data, Buffer.from([0, 0, 255, 255])]);
  return inflateRawSync(ended, { finishFlush: constants.Z_SYNC_FLUSH });
}
/** Each message for itself, so that a test can read one without those before it. */
const FRESH = '; server_no_context_takeover';
const ON: ServeOptions = { wsPerMessageDeflate: true };
const answerTo = (connection: RawConnection): string | null =>
  /sec-websocket-extensions: ([^\r]*)/.exec(connection.output)?.[1] ?? null;

test('permessage-deflate is off unless asked for', async () => {
  assert.equal(answerTo(await open('Sec-WebSocket-Extensions: permessage-deflate\r\n')), null);
  assert.equal(answerTo(await open('', ON)), null);
});

test('permessage-deflate: offers and answers', async () => {
  for (const [offer, answer] of [
    ['permessage-deflate', 'permessage-deflate'],
    ['permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    ['permessage-deflate; client_max_window_bits=10', 'permessage-deflate; client_max_window_bits=10'],
    ['permessage-deflate; server_max_window_bits=10', 'permessage-deflate; server_max_window_bits=10'],
    ['permessage-deflate; server_max_window_bits="10"', 'permessage-deflate; server_max_window_bits=10'],
    ['permessage-deflate; server_no_context_takeover', 'permessage-deflate; server_no_context_takeover'],
    ['permessage-deflate; client_no_context_takeover', 'permessage-deflate; client_no_context_takeover'],
    ['x-soba, permessage-deflate', 'permessage-deflate'],
    // Declined (7.1): unknown parameters, bad values, twice the same; the next offer counts.
    ['permessage-deflate; soba', null],
    ['permessage-deflate; server_max_window_bits', null],
    ['permessage-deflate; server_max_window_bits=7', null],
    ['permessage-deflate; server_max_window_bits=16', null],
    ['permessage-deflate; server_max_window_bits=x', null],
    ['permessage-deflate; server_max_window_bits=8', null],
    ['permessage-deflate; client_max_window_bits=16', null],
    ['permessage-deflate; server_no_context_takeover=1', null],
    ['permessage-deflate; server_no_context_takeover; server_no_context_takeover', null],
    [
      'permessage-deflate; soba, permessage-deflate; server_no_context_takeover',
      'permessage-deflate; server_no_context_takeover',
    ],
    ['x-webkit-deflate-frame', null],
  ] as const)
    assert.equal(answerTo(await open(`Sec-WebSocket-Extensions: ${offer}\r\n`, ON)), answer, offer);
});

async function deflating(options: ServeOptions = {}, parameters = FRESH): Promise<RawConnection> {
  const connection = await open(`Sec-WebSocket-Extensions: permessage-deflate${parameters}\r\n`, {
    ...ON,
    ...options,
  });
  connection.takeOutput();
  return connection;
}
/** zlib works in threads of its own. */
async function until(connection: RawConnection, count: number): Promise<Got[]> {
  while (frames(connection.output).length < count) await new Promise((resolve) => setImmediate(resolve));
  return frames(connection.output);
}

test('permessage-deflate: compressed messages both ways, in order, with control frames between', async () => {
  const connection = await deflating();
  const large = 'soba '.repeat(2000);
  connection.feed(
    Buffer.concat([frame(TEXT, deflated(large), { rsv: 4 }), frame(PING, 'p'), frame(TEXT, 'small')]),
  );
  const got = await until(connection, 3);
  const [first] = got.filter((one) => one.rsv1);
  assert.equal(inflated(first!.payload).toString(), large);
  assert.ok(first!.payload.length < 200);
  assert.deepEqual(
    got
      .filter((one) => !one.rsv1)
      .map(readable)
      .sort(),
    ['pong:p', 'text:small'],
  );
});

test('permessage-deflate: fragments have the bit on the first only; empty messages; no compression by choice', async () => {
  const connection = await deflating();
  const data = deflated('soba soba soba');
  connection.feed(
    Buffer.concat([
      frame(TEXT, data.subarray(0, 3), { rsv: 4, fin: false }),
      frame(PING, 'p'),
      frame(0, data.subarray(3)),
      frame(TEXT, Buffer.from([0]), { rsv: 4 }),
      frame(BINARY, 'plain'),
    ]),
  );
  const got = await until(connection, 4);
  assert.deepEqual(got.map(readable).sort(), ['binary:plain', 'pong:p', 'text:', 'text:soba soba soba']);
});

test('permessage-deflate: what breaks it', async () => {
  for (const [what, sent, code, options] of [
    [
      'the bit on a continuation',
      [frame(TEXT, deflated('a'), { rsv: 4, fin: false }), frame(0, 'x', { rsv: 4 })],
      1002,
      {},
    ],
    ['the bit on a ping', [frame(PING, 'x', { rsv: 4 })], 1002, {}],
    ['data that is no deflate', [frame(TEXT, Buffer.from([0xff, 0xff, 0xff, 0xff]), { rsv: 4 })], 1007, {}],
    ['a bomb', [frame(BINARY, deflated(Buffer.alloc(200_000)), { rsv: 4 })], 1009, { wsMaxSize: 100_000 }],
    [
      'text that is no UTF-8 inside',
      [frame(TEXT, deflated(Buffer.from([0xc0, 0xaf])), { rsv: 4 })],
      1007,
      {},
    ],
  ] as const) {
    const connection = await deflating(options);
    connection.feed(Buffer.concat(sent));
    const got = await until(connection, 1);
    assert.equal(readable(got.at(-1)!), `close:${code}`, what);
    while (!connection.ended) await new Promise((resolve) => setImmediate(resolve));
  }
});

test('permessage-deflate: a close stands behind the messages before it', async () => {
  const large = 'soba '.repeat(100_000);
  const connection = new RawConnection(async (_scope, receive, send) => {
    await receive();
    await send({ type: 'websocket.accept' });
    void send({ type: 'websocket.send', text: large });
    void send({ type: 'websocket.send', text: large });
    await send({ type: 'websocket.close', code: 4000 });
  }, ON);
  connection.feed(handshake('Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n'));
  const all = (): Got[] => frames(connection.output.slice(connection.output.indexOf('\r\n\r\n') + 4));
  while (connection.output === '' || all().length < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    all().map((one) => (one.rsv1 ? inflated(one.payload).length : readable(one))),
    [large.length, large.length, 'close:4000'],
  );
});

// ---- the same with a client that many use

let server: Server;
after(async () => {
  server.closeNow();
  await server.close();
});

test('permessage-deflate over a socket: contexts kept and given up, many messages, a client that vanishes within one', async () => {
  server = await serve(echo, { port: 0, log: silentLog, ...ON });
  for (const perMessageDeflate of [
    true,
    { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
    { serverMaxWindowBits: 9, clientMaxWindowBits: 9, threshold: 0 },
  ]) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`, { perMessageDeflate });
    await once(socket, 'open');
    assert.match(socket.extensions, /permessage-deflate/);
    const sent = Array.from({ length: 50 }, (_, index) => `${index} ${'soba udon '.repeat(index * 20)}`);
    const got: string[] = [];
    const all = new Event();
    socket.on('message', (data: Buffer) => {
      got.push(data.toString());
      if (got.length === sent.length) all.set();
    });
    for (const one of sent) socket.send(one);
    await all.wait();
    assert.deepEqual(got, sent);
    socket.close(1000);
    await once(socket, 'close');
  }
  // More than zlib's queue has places: one that is left occupied would block all that follow.
  for (let index = 0; index < 15; index++) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`, { perMessageDeflate: { threshold: 0 } });
    await once(socket, 'open');
    socket.send(Buffer.alloc(2_000_000, index));
    await sleep(1);
    socket.terminate();
  }
  const last = new WebSocket(`ws://127.0.0.1:${server.port}`, { perMessageDeflate: { threshold: 0 } });
  await once(last, 'open');
  last.send('still here '.repeat(1000));
  const [data] = await once(last, 'message');
  assert.equal(data.toString(), 'still here '.repeat(1000));
  last.close();
  await once(last, 'close');
});
