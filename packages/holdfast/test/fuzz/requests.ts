import fc from 'fast-check'

// Requests from right to absurd. Each is bytes: a right request is put together from parts that may each be wrong, and
// the result may be mutated once more without any regard for what it means.

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')
const oneOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts)
const soup = (alphabet: readonly string[], maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...alphabet), { maxLength }).map((parts) => parts.join(''))

// — JSON, written as text so that it may say what no value can —

const hostileNumbers = [
  '0',
  '-0',
  '1e999',
  '-1e999',
  '1e-999',
  '9007199254740993',
  '123456789012345678901234567890',
  '01',
  '+1',
  '.5',
  '0x10',
  'NaN',
  'Infinity',
  '1.0',
  '7e0',
]
const hostileTexts = [
  '""',
  '"rope"',
  '"taken"',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\ud83d\\ude00"',
  '"\\u005f\\u005fproto__"',
  '"\t"',
  '"\\x"',
  '"unfinished',
  '"ÿþ"',
  '"\u00c3\u00a9"',
  `"${'a'.repeat(5000)}"`,
]
const hostileKeys = [
  '"name"',
  '"priceCents"',
  '"lines"',
  '"notes"',
  '"email"',
  '"password"',
  '"anything"',
  '"__proto__"',
  '"constructor"',
  '"prototype"',
  '"\\u005f_proto__"',
  '"toString"',
  '"toJSON"',
  '"then"',
  '"length"',
  '"__defineGetter__"',
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"0"',
]
const scalar = fc.oneof(
  oneOf(...hostileNumbers),
  oneOf(...hostileTexts),
  oneOf('null', 'true', 'false', 'undefined', "'a'", '{', ']', ''),
  fc.integer().map(String),
  fc.double().map(String),
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => JSON.stringify(text)),
)
const { json } = fc.letrec<{ json: string; list: string; object: string }>((tie) => ({
  json: fc.oneof({ maxDepth: 5, withCrossShrink: true }, scalar, tie('list'), tie('object')),
  list: fc.array(tie('json'), { maxLength: 5 }).map((items) => `[${items.join(',')}]`),
  object: fc
    .array(fc.tuple(oneOf(...hostileKeys), tie('json')), { maxLength: 5 })
    .map((members) => `{${members.map((pair) => pair.join(':')).join(',')}}`),
}))
const nested = fc
  .tuple(oneOf('[', '{"a":', '[{"a":'), fc.integer({ min: 1, max: 3000 }), fc.boolean())
  .map(([open, depth, isClosed]) => {
    const close = open.replace('{"a":', '}').replace('[}', '}]')
    return `${open.repeat(depth)}1${isClosed ? close.repeat(depth) : ''}`
  })
const rightOrder = '{"name":"rope","priceCents":700,"lines":[{"sku":"r-1","quantity":2}]}'
const login = fc
  .tuple(oneOf('"a@b.example"', '"A@B.EXAMPLE "', '" a@b.example"', '7', '["a@b.example"]'), oneOf('right', 'wrong'))
  .map(([email, password]) => `{"email":${email},"password":"${password}"}`)
const nearlyRight = fc
  .tuple(oneOf('"name":"rope"', '"priceCents":700'), oneOf(...hostileKeys), json)
  .map(([kept, key, value]) => `{${kept},${key}:${value}}`)
const body = fc.oneof(
  { arbitrary: fc.constant(rightOrder), weight: 40 },
  { arbitrary: nearlyRight, weight: 30 },
  { arbitrary: login, weight: 15 },
  { arbitrary: json.map((value) => `{"anything":${value}}`), weight: 30 },
  { arbitrary: json, weight: 20 },
  { arbitrary: nested, weight: 10 },
  { arbitrary: nested.map((value) => `{"anything":${value}}`), weight: 10 },
  { arbitrary: fc.constant(''), weight: 10 },
  { arbitrary: fc.constant(`"${'a'.repeat(110_000)}"`), weight: 1 },
)

// — the request line —

const method = fc.oneof(
  { arbitrary: oneOf('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'), weight: 80 },
  {
    arbitrary: oneOf(
      'TRACE',
      'CONNECT',
      'PROPFIND',
      'PURGE',
      'QUERY',
      'M-SEARCH',
      'SOURCE',
      'PRI',
      'get',
      'GeT',
      '',
      'G T',
      'GET\t',
      '\0',
      'X'.repeat(300),
    ),
    weight: 10,
  },
)
const knownPath = oneOf(
  '/items',
  '/items/7',
  '/items/7/parts/a',
  '/search',
  '/mine',
  '/admin',
  '/login',
  '/theme',
  '/page',
  '/orders',
  '/orders/7',
  '/anything',
  '/livez',
  '/readyz',
)
const pathSoup = soup(
  [
    '/',
    '/',
    'items',
    'orders',
    '7',
    '.',
    '..',
    '%',
    '%2e',
    '%2F',
    '%00',
    '%zz',
    '%ff',
    '%c0%af',
    '%ed%a0%80',
    '%F0%9F%98%80',
    ';',
    ':',
    '*',
    '\\',
    '|',
    '[',
    ']',
    '"',
    '<',
    '\xff',
    '__proto__',
    'constructor',
    '-1',
    '1e3',
    '0x1',
    '9999999999999999999',
  ],
  8,
)
const querySoup = soup(
  [
    '?',
    '&',
    '=',
    '+',
    '#',
    '[',
    ']',
    'limit',
    'tag',
    'q',
    '1',
    '101',
    '-1',
    'NaN',
    '%',
    '%20',
    '%00',
    '%zz',
    '%ff',
    '%ed%a0%80',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'a'.repeat(300),
    '\xe9',
    ';',
  ],
  12,
)
const path = fc.oneof(
  { arbitrary: knownPath, weight: 60 },
  { arbitrary: pathSoup.map((rest) => `/${rest}`), weight: 20 },
  { arbitrary: pathSoup, weight: 10 },
)
const query = fc.oneof(
  { arbitrary: fc.constant(''), weight: 40 },
  { arbitrary: oneOf('?limit=5', '?limit=5&tag=a&tag=b', '?q=rope', '?', '?limit=1&limit=2'), weight: 20 },
  { arbitrary: querySoup.map((rest) => `?${rest}`), weight: 20 },
)
const target = fc.oneof(
  { arbitrary: fc.tuple(path, query).map((parts) => parts.join('')), weight: 120 },
  {
    arbitrary: fc
      .tuple(
        oneOf(
          'http://shop.example',
          'HTTP://a',
          'https://a:1',
          'http://',
          'ftp://a',
          '//a',
          'http://a@b',
          'http://[::1]',
          'http:/',
          'http://a\\b',
        ),
        path,
        query,
      )
      .map((parts) => parts.join('')),
    weight: 20,
  },
  { arbitrary: oneOf('*', '/*', 'a:443', ':80', '?', '#', '/items#a', 'items', '/items /7', ''), weight: 10 },
  {
    arbitrary: fc
      .tuple(oneOf('/', '/items?q=', '/search?q=', '/items/'), fc.integer({ min: 1000, max: 20_000 }))
      .map(([start, length]) => start + 'a'.repeat(length)),
    weight: 3,
  },
)
const version = fc.oneof(
  { arbitrary: fc.constant('HTTP/1.1'), weight: 200 },
  {
    arbitrary: oneOf(
      'HTTP/1.0',
      'HTTP/0.9',
      'HTTP/2.0',
      'HTTP/9.9',
      'http/1.1',
      'HTTP/1.1 ',
      'HTTPS/1.1',
      '',
      'HTTP/1.10',
    ),
    weight: 10,
  },
)

// — headers —

type Header = readonly [name: string, value: string]
const host = fc.oneof(
  { arbitrary: fc.constant<Header[]>([['Host', 'shop.example']]), weight: 200 },
  {
    arbitrary: fc.constantFrom<Header[][]>(
      [],
      [['Host', '']],
      [
        ['Host', 'a'],
        ['host', 'b'],
      ],
      [['Host', 'a b']],
      [['Host', '\xff']],
      [['Host', 'a'.repeat(3000)]],
    ),
    weight: 10,
  },
)
const type = fc.oneof(
  { arbitrary: fc.constant<Header[]>([['Content-Type', 'application/json']]), weight: 120 },
  {
    arbitrary: oneOf(
      'application/json; charset=utf-8',
      'APPLICATION/JSON',
      'application/json;',
      'application/json; charset=utf-16',
      'application/json; charset=utf-8; charset=utf-7',
      'application/json\t',
      'application/jsonp',
      'text/plain',
      'multipart/form-data; boundary=a',
      'application/x-www-form-urlencoded',
      ';;',
      '',
      '/',
      'a/b/c',
      '\xff',
      'application/json, text/plain',
      '*/*',
    ).map((value): Header[] => [['Content-Type', value]]),
    weight: 30,
  },
  {
    arbitrary: fc.constantFrom<Header[][]>(
      [],
      [
        ['Content-Type', 'application/json'],
        ['content-type', 'text/plain'],
      ],
    ),
    weight: 10,
  },
)
const oddValue = fc.oneof(
  oneOf(
    '',
    ' ',
    '\t',
    '0',
    '-1',
    'chunked',
    'close',
    'keep-alive',
    'gzip',
    '100-continue',
    'Bearer letmein',
    'Bearer',
    'null',
    '[object Object]',
    '\x01',
    '\0',
    '\xff\xfe',
    '"',
    ',',
    ',,,,',
    ';',
    'a\r b',
    'a\n b',
    '${jndi:ldap://a}',
    "' OR 1=1 --",
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  fc.integer({ min: 100, max: 20_000 }).map((length) => 'v'.repeat(length)),
)
const oddName = fc.oneof(
  oneOf(
    'X-A',
    'Authorization',
    'Cookie',
    'Connection',
    'Upgrade',
    'HTTP2-Settings',
    'Expect',
    'TE',
    'Trailer',
    'Range',
    'If-None-Match',
    'Content-Encoding',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Request-Id',
    'Traceparent',
    'X-HTTP-Method-Override',
    'Content-Length',
    'Transfer-Encoding',
    'Accept',
    'Accept-Encoding',
    'Origin',
    'Keep-Alive',
    'Proxy-Connection',
    '__proto__',
    'constructor',
    'toString',
    'then',
    'hasOwnProperty',
  ),
  oneOf('', ' X-A', 'X A', 'X-A ', 'X\0A', 'X-\xff', ':', '\tX-A', 'X'.repeat(500)),
)
const right: fc.Arbitrary<Header> = fc.constantFrom<Header[]>(
  ['Authorization', 'Bearer letmein'],
  ['Authorization', 'Bearer wrong'],
  ['Accept', '*/*'],
  ['User-Agent', 'fuzz'],
  ['Expect', '100-continue'],
  ['Expect', 'miracles'],
  ['X-Request-Id', 'abcdefgh'],
  ['Traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
  ['Content-Encoding', 'identity'],
  ['Origin', 'https://app.example.com'],
  ['Origin', 'https://a.b.apps.example'],
  ['Origin', 'https://evil.example'],
  ['Origin', 'null'],
  ['Access-Control-Request-Method', 'PUT'],
  ['Access-Control-Request-Headers', 'authorization, x-odd'],
  ['Access-Control-Request-Private-Network', 'true'],
  ['Cookie', 'session=mine'],
  ['Cookie', 'theme=dark; session=mine'],
  ['Cookie', 'theme=dark; theme=light'],
  ['X-Forwarded-For', '203.0.113.7'],
  ['X-Forwarded-For', '2001:db8::7, 203.0.113.7'],
  ['X-Forwarded-Proto', 'https'],
  ['Connection', 'keep-alive'],
)
const more = fc.oneof(
  { arbitrary: fc.array(right, { maxLength: 3 }), weight: 40 },
  { arbitrary: fc.array(fc.tuple(oddName, oddValue), { maxLength: 3 }), weight: 10 },
  {
    arbitrary: fc
      .integer({ min: 100, max: 2500 })
      .map((count) => Array.from({ length: count }, (_, at): Header => [`x-${at}`, 'a'])),
    weight: 1,
  },
)

// — framing: how the body's length is told, rightly and in every way that smuggles —

const framing = fc.oneof(
  { arbitrary: fc.constant('length' as const), weight: 120 },
  { arbitrary: fc.constant('chunked' as const), weight: 50 },
  {
    arbitrary: fc.constantFrom(
      'none' as const,
      'both' as const,
      'wrong length' as const,
      'odd length' as const,
      'odd encoding' as const,
      'broken chunks' as const,
    ),
    weight: 40,
  },
)
const oddLength = oneOf(
  '+5',
  '-5',
  '5, 5',
  '5,6',
  '0x5',
  '5 5',
  '',
  '00',
  '1e2',
  '99999999999999999999',
  '18446744073709551616',
  '5\t',
  '\v5',
  '٥',
)
const oddEncoding = oneOf(
  'xchunked',
  'chunked, identity',
  'gzip, chunked',
  'identity',
  'chunked\x00',
  '\tchunked',
  'Chunked',
  'chunked;a=b',
  '"chunked"',
  '',
  'chunked, chunked',
  '\x0bchunked',
)
const brokenChunks = oneOf(
  'zz\r\n{}\r\n0\r\n\r\n',
  '2\n{}\n0\n\n',
  '-2\r\n{}\r\n',
  'fffffffffffffffff\r\n{}',
  '2;a=b;c\r\n{}\r\n0\r\n\r\n',
  '2\r\n{}0\r\n\r\n',
  '3\r\n{}\r\n0\r\n\r\n',
  '2 \r\n{}\r\n0\r\n\r\n',
  '0x2\r\n{}\r\n0\r\n\r\n',
  `2;${'e'.repeat(17_000)}\r\n{}\r\n0\r\n\r\n`,
  '2\r\n{}\r\n0\r\nX-A: b\r\n\r\n',
  '2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n',
  '2\r\n{}\r\n0\r\nX A: b\r\n\r\n',
  '',
)

interface Parts {
  readonly method: string
  readonly target: string
  readonly version: string
  readonly host: readonly Header[]
  readonly type: readonly Header[]
  readonly more: readonly Header[]
  readonly framing:
    | 'length'
    | 'chunked'
    | 'none'
    | 'both'
    | 'wrong length'
    | 'odd length'
    | 'odd encoding'
    | 'broken chunks'
  readonly body: string
  readonly oddLength: string
  readonly oddEncoding: string
  readonly brokenChunks: string
  readonly off: number
  readonly carriesBody: boolean
}

const parts: fc.Arbitrary<Parts> = fc.record({
  method,
  target,
  version,
  host,
  type,
  more,
  framing,
  body,
  oddLength,
  oddEncoding,
  brokenChunks,
  off: fc.integer({ min: -3, max: 40 }),
  carriesBody: fc.boolean(),
})

// Requests that are right, and that get as deep as a route allows.
const orderBody = fc.oneof({ arbitrary: fc.constant(rightOrder), weight: 2 }, { arbitrary: nearlyRight, weight: 1 })
const anythingBody = fc.oneof(
  { arbitrary: fc.jsonValue().map((value) => JSON.stringify({ anything: value })), weight: 2 },
  { arbitrary: json.map((value) => `{"anything":${value}}`), weight: 1 },
)
const names = oneOf('{"name":"rope"}', '{"name":"taken"}', '{"name":""}', '{"name":7}')
const rightTriples: fc.Arbitrary<readonly [method: string, target: string, body: string]> = fc.oneof(
  fc.tuple(
    oneOf('GET', 'HEAD', 'OPTIONS'),
    oneOf(
      '/items',
      '/items/7',
      '/items/7/parts/a%2Fb',
      '/search?limit=5',
      '/search?tag=a&tag=b&q=%F0%9F%98%80',
      '/mine',
      '/livez',
      '/readyz',
    ),
    fc.constant(''),
  ),
  fc.tuple(fc.constant('POST'), fc.constant('/orders'), orderBody),
  fc.tuple(fc.constant('PUT'), fc.constant('/orders/7'), orderBody),
  fc.tuple(fc.constant('PATCH'), fc.constant('/orders/7'), names),
  fc.tuple(fc.constant('POST'), fc.constant('/anything'), anythingBody),
  fc.tuple(fc.constant('DELETE'), fc.constant('/orders/7'), fc.constant('')),
)
const rightParts: fc.Arbitrary<Parts> = fc
  .tuple(
    rightTriples,
    fc.record({
      version: fc.constant('HTTP/1.1'),
      host: fc.constant<Header[]>([['Host', 'shop.example']]),
      type: fc.constant<Header[]>([['Content-Type', 'application/json']]),
      more: fc.constantFrom<Header[][]>(
        [],
        [['Authorization', 'Bearer letmein']],
        [['Expect', '100-continue']],
        [
          ['Accept', '*/*'],
          ['User-Agent', 'fuzz'],
        ],
      ),
      framing: fc.constantFrom('length' as const, 'chunked' as const),
      oddLength,
      oddEncoding,
      brokenChunks,
      off: fc.integer({ min: -3, max: 40 }),
      carriesBody: fc.constant(false),
    }),
  )
  .map(([[rightMethod, rightTarget, rightBody], rest]) => ({
    ...rest,
    method: rightMethod,
    target: rightTarget,
    body: rightBody,
  }))
/** Right in all parts but one. */
const nearlyRightParts: fc.Arbitrary<Parts> = fc
  .tuple(
    rightParts,
    parts,
    fc.constantFrom<(keyof Parts)[]>(
      'method',
      'target',
      'version',
      'host',
      'type',
      'more',
      'framing',
      'body',
      'carriesBody',
    ),
  )
  .map(([one, other, key]) => ({ ...one, [key]: other[key] }))

function toBytes(one: Parts): Buffer {
  const takesBody = one.carriesBody || ['POST', 'PUT', 'PATCH'].includes(one.method)
  const content = takesBody ? Buffer.from(one.body, 'utf8') : Buffer.alloc(0)
  const [framingHeaders, sent] = frame(one, content, takesBody)
  const headers = [...one.host, ...(takesBody ? one.type : []), ...framingHeaders, ...one.more]
  const head = `${one.method} ${one.target} ${one.version}\r\n${headers.map((pair) => `${pair.join(': ')}\r\n`).join('')}\r\n`
  return Buffer.concat([latin1(head), sent])
}

function frame(one: Parts, content: Buffer, takesBody: boolean): [Header[], Buffer] {
  const length: Header = ['Content-Length', String(content.length)]
  const chunked: Header = ['Transfer-Encoding', 'chunked']
  switch (one.framing) {
    case 'length':
      return [takesBody ? [length] : [], content]
    case 'chunked':
      return takesBody ? [[chunked], toChunks(content, one.off)] : [[], content]
    case 'none':
      return [[], content]
    case 'both':
      return [[length, chunked], toChunks(content, one.off)]
    case 'wrong length':
      return [[['Content-Length', String(Math.max(0, content.length + one.off))]], content]
    case 'odd length':
      return [[['Content-Length', one.oddLength]], content]
    case 'odd encoding':
      return [[['Transfer-Encoding', one.oddEncoding]], toChunks(content, one.off)]
    case 'broken chunks':
      return [[chunked], latin1(one.brokenChunks)]
  }
}

function toChunks(content: Buffer, off: number): Buffer {
  const size = Math.max(1, Math.abs(off) * 50)
  const chunks: Buffer[] = []
  for (let at = 0; at < content.length; at += size) {
    const chunk = content.subarray(at, at + size)
    chunks.push(latin1(`${chunk.length.toString(16)}\r\n`), chunk, latin1('\r\n'))
  }
  return Buffer.concat([...chunks, latin1('0\r\n\r\n')])
}

// — mutations of the bytes themselves —

const splices = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  '%',
  '%00',
  '\xff',
  '0\r\n\r\n',
  '\r\n\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Host: other\r\n',
  'Expect: 100-continue\r\n',
  'Connection: close\r\n',
  'Connection: Upgrade\r\nUpgrade: h2c\r\n',
  'GET /items HTTP/1.1\r\nHost: a\r\n\r\n',
  '{"__proto__":',
  '"',
  '}',
  ']',
  '\ufeff',
  ' HTTP/1.1',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00',
]
type Mutation = (bytes: Buffer) => Buffer
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const at = (bytes: Buffer, where: number): number => Math.floor(where * bytes.length)
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(share, fc.integer({ min: 1, max: 255 })).map(([where, mask]): Mutation => (bytes) => {
    const copy = Buffer.from(bytes)
    if (copy.length > 0) copy.writeUInt8(copy.readUInt8(at(copy, where)) ^ mask, at(copy, where))
    return copy
  }),
  fc.tuple(share, fc.constantFrom(...splices)).map(([where, splice]): Mutation => (bytes) => {
    const cut = at(bytes, where)
    return Buffer.concat([bytes.subarray(0, cut), latin1(splice), bytes.subarray(cut)])
  }),
  fc.tuple(share, fc.integer({ min: 1, max: 40 })).map(([where, length]): Mutation => (bytes) => {
    const cut = at(bytes, where)
    return Buffer.concat([bytes.subarray(0, cut), bytes.subarray(cut + length)])
  }),
  fc.tuple(share, share).map(([from, to]): Mutation => (bytes) => {
    const twice = bytes.subarray(at(bytes, Math.min(from, to)), at(bytes, Math.max(from, to)))
    const cut = at(bytes, to)
    return Buffer.concat([bytes.subarray(0, cut), twice, bytes.subarray(cut)])
  }),
  share.map(
    (where): Mutation =>
      (bytes) =>
        bytes.subarray(0, at(bytes, where)),
  ),
  // A line of the head twice, or moved to the front of the headers.
  fc.tuple(share, fc.boolean()).map(([where, moves]): Mutation => (bytes) => {
    const lines = bytes.toString('latin1').split('\r\n')
    const line = lines[Math.floor(where * lines.length)] ?? ''
    lines.splice(1, 0, line)
    if (moves) lines.splice(lines.lastIndexOf(line), 1)
    return latin1(lines.join('\r\n'))
  }),
)

const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))

const mutated = (from: fc.Arbitrary<Parts>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(from, fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([one, mutations]) => mutations.reduce((bytes, mutate) => mutate(bytes), toBytes(one)))

/** One request, or what is left of it. */
export const requestBytes: fc.Arbitrary<Buffer> = fc.oneof(
  { arbitrary: rightParts.map(toBytes), weight: 40 },
  { arbitrary: nearlyRightParts.map(toBytes), weight: 60 },
  { arbitrary: parts.map(toBytes), weight: 25 },
  { arbitrary: mutated(rightParts), weight: 30 },
  { arbitrary: mutated(parts), weight: 15 },
  { arbitrary: noise, weight: 2 },
)
