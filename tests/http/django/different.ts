/** Where Sobaya is meant to answer otherwise than Django 3.2: by topic, with the answer and the reason. */
export interface Difference {
  readonly why: string;
  /** What Sobaya answers; undefined where this difference has nothing to say. */
  // biome-ignore lint/suspicious/noExplicitAny: questions are of many shapes
  readonly ours: (question: any, django: any) => unknown;
}

/** Question by question. */
function table(why: string, answers: readonly (readonly [question: unknown, ours: unknown])[]): Difference {
  const known = new Map(answers.map(([question, ours]) => [JSON.stringify(question), ours]));
  return { why, ours: (question) => known.get(JSON.stringify(question)) };
}

export const different: Readonly<Record<string, readonly Difference[]>> = {
  cookies: [
    table('a pair without a name is no cookie', [
      ['a', []],
      ['=b', []],
      ['a="b;c"', [['a', '"b']]],
      ['a=b;c', [['a', 'b']]],
      [
        'a=b; =c; d=e',
        [
          ['a', 'b'],
          ['d', 'e'],
        ],
      ],
    ]),
    table('of one name the first counts, which has the longest path (RFC 6265, 5.4)', [
      ['a=1; a=2', [['a', '1']]],
    ]),
    table('values are percent-encoded, as setCookie writes them, and not Python’s octal escapes', [
      ['a=%20', [['a', ' ']]],
      ['a="\\"b"', [['a', '\\"b']]],
      ['a="\\054"', [['a', '\\054']]],
    ]),
  ],
  preconditions: [
    {
      why: 'If-Unmodified-Since is ignored where there is no date to compare with (RFC 9110, 13.1.4)',
      ours: ([method, etag, modified, headers], django) => {
        if (modified !== null || headers['if-unmodified-since'] === undefined || django !== 412)
          return undefined;
        const none = headers['if-none-match'] as string | undefined;
        if (method === 'PUT' && none !== undefined && etag !== null && (none === '*' || none.includes('"a"')))
          return undefined;
        if (headers['if-match'] !== undefined) return undefined;
        if (none === undefined || etag === null) return 200;
        const matches = none === '*' || none.split(', ').some((tag) => tag.replace('W/', '') === '"a"');
        return matches ? 304 : 200;
      },
    },
  ],
  hosts: [table('no port has six digits', [['soba.example:999999', null]])],
  targets: [
    table('the same site, however it is written', [
      ['http://soba.example:80', true],
      ['HTTP://SOBA.EXAMPLE/', true],
    ]),
    table(
      'browsers drop line ends and tabs and turn backslashes: what they make of these is another address',
      [
        ['/a\nb', false],
        ['//soba.example/\\evil', false],
        ['/\t/evil.example', false],
      ],
    ),
    table('two slashes and no host lead nowhere', [['//', false]]),
  ],
  redirects: [
    table('browsers have no ftp any more', [['ftp://a.example/', null]]),
    table('a percent sign that encodes nothing is encoded', [['/100%', '/100%25']]),
  ],
  filenames: [
    table('a file keeps a name, so that no upload disappears', [
      ['..', 'file'],
      ['.', 'file'],
      ['', 'file'],
      ['a/', 'file'],
      ['a\\', 'file'],
      ['a/..', 'file'],
      ['../', 'file'],
      ['/', 'file'],
      ['\\', 'file'],
    ]),
    table('no control characters, and none that mean something to a file system', [
      ['a\0b.txt', 'ab.txt'],
      ['a\nb.txt', 'ab.txt'],
      ['a\tb', 'ab'],
      ['a:b.txt', 'ab.txt'],
    ]),
    table('names are text, not HTML: nothing in them is decoded', [
      ['&quot;a&quot;.txt', '&quot;a&quot;.txt'],
      ['a&#x2F;b.txt', 'a&#x2F;b.txt'],
      ['&lt;a&gt;', '&lt;a&gt;'],
      ['..&#x2F;..&#x2F;a.txt', '..&#x2F;..&#x2F;a.txt'],
    ]),
  ],
  disposition: [
    {
      why: 'an ASCII form for old clients beside the real name, and nothing that has to be escaped (RFC 6266, D)',
      ours: ([attachment, name]) =>
        ({
          'a"b.txt': `filename="a_b.txt"; filename*=UTF-8''a%22b.txt`,
          'a\\b.txt': 'filename="a_b.txt"',
          'そば.txt': `filename="__.txt"; filename*=UTF-8''%E3%81%9D%E3%81%B0.txt`,
          'é.txt': `filename="_.txt"; filename*=UTF-8''%C3%A9.txt`,
          'a%20b.txt': `filename="a_20b.txt"; filename*=UTF-8''a%2520b.txt`,
          '100%.txt': `filename="100_.txt"; filename*=UTF-8''100%25.txt`,
        })[name as string]?.replace(/^/, attachment ? 'attachment; ' : 'inline; '),
    },
  ],
  accepts: [
    table('an empty list says nothing, as no header does', [[['', 'text/html'], true]]),
    table('q=0 is "not acceptable" (RFC 9110, 12.4.2)', [[['text/html;q=0', 'text/html'], false]]),
  ],
  languages: [
    {
      why: 'what cannot be read is worth nothing, and takes nothing else of the header with it',
      ours: (text: string) =>
        ({
          'ja;q=x': [['ja', 0]],
          'ja;q=2': [['ja', 1]],
          'en-gb;q=1.0;q=0.2': [['en-gb', 0.2]],
          'ja;q=0.1234': [['ja', 0.1234]],
        })[text] ?? (text.length > 500 ? [[text, 1]] : undefined),
    },
  ],
  pages: [
    {
      why: 'one error for all pages that are none, the one that becomes 404',
      ours: ([, , number], django) =>
        typeof django === 'string' && number !== null && number !== '' ? 'Http404' : undefined,
    },
    {
      why: 'no page asked for is the first, as in Django’s ListView',
      ours: ([count, per, number]) =>
        number === null || number === ''
          ? [
              Array.from({ length: Math.min(count, per) }, (_, index) => index),
              1,
              Math.max(1, Math.ceil(count / per)),
              count > per,
              false,
            ]
          : undefined,
    },
  ],
  resolve: [
    table('past 2^53 two paths would be one number: the next route is tried', [
      ['/orders/9007199254740993/', ['order-code', { code: '9007199254740993' }]],
    ]),
  ],
};
