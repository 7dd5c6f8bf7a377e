/** Multipart forms as browsers write them, as nobody should, and cut anywhere. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { createApp, HttpResponse, path } from 'sobaya';
import { Client } from 'sobaya/test';

const app = new Client(
  createApp({
    debug: false,
    onError: (error) => {
      throw error;
    },
    urls: [
      path('', async (request) => {
        const fields = await request.form();
        const files = [];
        for (const file of await request.files())
          files.push([
            file.field,
            file.filename,
            file.contentType,
            file.size,
            (await file.text()).slice(0, 40),
          ]);
        return new HttpResponse(JSON.stringify([[...fields], files]));
      }),
    ],
  }),
  { raiseErrors: false },
);

async function send(
  body: string | Uint8Array,
  contentType = 'multipart/form-data; boundary=b',
): Promise<[number, unknown]> {
  const { status, text } = await app.post('/', { body, headers: { 'content-type': contentType } });
  return [status, status === 200 ? JSON.parse(text) : null];
}

const disposition = 'content-disposition: form-data; name="f"';
const part = (head: string, content = 'soba'): string => `--b\r\n${head}\r\n\r\n${content}\r\n`;
const end = '--b--\r\n';

test('what a part is: a field, or a file if it has a file name', async () => {
  const field = [['f', 'soba']];
  const file = (name: string, type = 'text/plain', size = 4, content = 'soba') => [
    [],
    [['f', name, type, size, content]],
  ];
  const good: [name: string, body: string, wanted: unknown][] = [
    ['a field', part(disposition) + end, [field, []]],
    ['text before and after', `before\r\n${part(disposition)}${end}after`, [field, []]],
    [
      'of a type, without a name',
      part(`${disposition}\r\ncontent-type: application/octet-stream`) + end,
      [field, []],
    ],
    ['a folded header', part('content-disposition: form-data;\r\n name="f"') + end, [field, []]],
    [
      'a name of any script',
      part('content-disposition: form-data; name="名前"') + end,
      [[['名前', 'soba']], []],
    ],
    [
      'a name of Object.prototype',
      part('content-disposition: form-data; name="__proto__"') + end,
      [[['__proto__', 'soba']], []],
    ],
    [
      'a file',
      part(`${disposition}; filename="a.txt"\r\ncontent-type: image/png`) + end,
      file('a.txt', 'image/png'),
    ],
    ['a file of any script', part(`${disposition}; filename="そば.txt"`) + end, file('そば.txt')],
    [
      'a file of RFC 5987',
      part(`${disposition}; filename*=UTF-8''%E3%81%9D%E3%81%B0.txt`) + end,
      file('そば.txt'),
    ],
    ['a file somewhere else', part(`${disposition}; filename="..\\..\\etc/x.txt"`) + end, file('x.txt')],
    [
      'a file with nothing in it',
      part(`${disposition}; filename="x"`, '') + end,
      file('x', 'text/plain', 0, ''),
    ],
    [
      'a file input left empty',
      part(`${disposition}; filename=""\r\ncontent-type: application/octet-stream`, '') + end,
      [[], []],
    ],
    [
      'multipart inside multipart is text',
      part(`${disposition}\r\ncontent-type: multipart/mixed; boundary=c`, '--c') + end,
      [[['f', '--c']], []],
    ],
    [
      'encodings of mail are not undone',
      part(`${disposition}\r\ncontent-transfer-encoding: base64`, 'c29iYQ==') + end,
      [[['f', 'c29iYQ==']], []],
    ],
    ['nothing', end, [[], []]],
  ];
  for (const [name, body, wanted] of good) assert.deepEqual(await send(body), [200, wanted], name);
});

test('what is no form is 400, and nothing of it is believed', async () => {
  for (const [name, body] of [
    ['no end', part(disposition)],
    ['no end of the content', `--b\r\n${disposition}\r\n\r\nsoba`],
    ['no end of a header', `--b\r\n${disposition.slice(0, 20)}`],
    ['lines that end in LF alone', `--b\n${disposition}\n\nsoba\n--b--\n`],
    ['no boundary of the header', '--c\r\n\r\n--c--\r\n'],
    ['nothing at all', ''],
    ['a field without a name', part('content-disposition: form-data') + end],
    ['a file without a name of its field', part('content-disposition: form-data; filename="x"') + end],
  ] as const)
    assert.equal((await send(body))[0], 400, name);
  for (const type of [
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary=""',
    `multipart/form-data; boundary=${'b'.repeat(71)}`,
  ])
    assert.equal((await send(part(disposition) + end, type))[0], 400, type);
  for (const type of ['MULTIPART/FORM-DATA; BOUNDARY=b', 'multipart/form-data; charset=x; boundary="b"'])
    assert.equal((await send(part(disposition) + end, type))[0], 200, type);
});

test('a form that is cut, doubled or mixed up anywhere never ends the process', async () => {
  const whole = Buffer.from(
    part(disposition) +
      part(`${disposition}; filename="a.txt"\r\ncontent-type: image/png`, 'x'.repeat(50)) +
      part('content-disposition: form-data') +
      end,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length),
      fc.nat(whole.length),
      fc.constantFrom(
        '',
        '\r\n',
        '--b',
        '\r\n--b',
        '--',
        '"',
        ';',
        '\0',
        '\xff',
        'filename=',
        'name=',
        ': ',
        '\r\n\r\n',
      ),
      async (from, to, between) => {
        const body = Buffer.concat([
          whole.subarray(0, from),
          Buffer.from(between, 'latin1'),
          whole.subarray(to),
        ]);
        const [status] = await send(body);
        assert.ok(status === 200 || status === 400, String(status));
      },
    ),
    { numRuns: 400 },
  );
});

test('a form that fails half-way leaves no file open and none behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sobaya-multipart-'));
  const failing = new Client(
    createApp({
      debug: false,
      onError: () => {},
      uploadFolder: folder,
      limits: { fileMemory: 10, maxFiles: 2 },
      urls: [path('', async (request) => new HttpResponse(String((await request.files()).size)))],
    }),
    { raiseErrors: false },
  );
  const open = (): number => readdirSync('/proc/self/fd').length;
  const headers = { 'content-type': 'multipart/form-data; boundary=b' };
  const file = part(`${disposition}; filename="x"`, 'x'.repeat(1000));
  assert.equal((await failing.post('/', { headers, body: file + end })).status, 200);
  const before = process.platform === 'linux' ? open() : 0;
  for (let round = 0; round < 20; round++) {
    assert.equal((await failing.post('/', { headers, body: file })).status, 400);
    assert.equal((await failing.post('/', { headers, body: file.slice(0, 500) })).status, 400);
    assert.equal((await failing.post('/', { headers, body: file.repeat(5) + end })).status, 400);
  }
  if (process.platform === 'linux') assert.ok(open() <= before + 2, `${before} open files became ${open()}`);
  assert.deepEqual(readdirSync(folder), []);
  rmSync(folder, { recursive: true });
  assert.equal((await failing.post('/', { headers, body: file + end })).status, 500, 'the folder is gone');
});
