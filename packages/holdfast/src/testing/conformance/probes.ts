import type { Probe } from './probe.ts'
import type { ConformanceTarget } from './target.ts'

type Target = ConformanceTarget
type Headers = Readonly<Record<string, string | readonly string[]>>

/** A request as text: what is given, plus a Host and whatever lets the suite in. */
function request(target: Target, line: string, headers: Headers = {}, body = ''): string {
  const all: Headers = { host: new URL(target.url).host, ...target.headers, ...headers }
  const fields = Object.entries(all).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`))
  return `${line} HTTP/1.1\r\n${fields.join('')}\r\n${body}`
}

const toRead =
  (method: string, change: (path: string) => string = (path) => path, headers: Headers = {}, body = '') =>
  (target: Target): string =>
    request(target, `${method} ${change(target.readPath)}`, headers, body)

/** A POST to the write path with a body that need not be right. */
function toWrite(body: (target: Target) => string | Uint8Array, headers: Headers = {}): (target: Target) => Uint8Array {
  return (target) => {
    const bytes = Buffer.from(body(target))
    const all = { 'content-type': 'application/json', 'content-length': String(bytes.byteLength), ...headers }
    return Buffer.concat([Buffer.from(request(target, `POST ${target.writePath}`, all)), bytes])
  }
}

const json = (target: Target, change: (body: Record<string, unknown>) => unknown = (body) => body): string =>
  JSON.stringify(change({ ...target.writeBody() }))
/** A body that is right but for one member, which is written as it is given. */
const withMember = (member: string) => (target: Target) => json(target).replace(/\}$/, `,${member}}`)
const chunked = (body: string): string => `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`
const missing = '/there-is-nothing-at-this-path'
const lastLetter = (path: string): string =>
  path.replace(/[a-z](?=[^a-z]*$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`)

const routing: readonly Probe[] = [
  {
    name: 'a known path is answered',
    send: toRead('GET'),
    status: 200,
    headers: { 'content-type': 'application/json' },
  },
  {
    name: 'HEAD has the headers of GET and no body',
    send: toRead('HEAD'),
    options: () => ({ isHead: true }),
    status: 200,
    headers: { 'content-length': '' },
  },
  { name: 'OPTIONS names the methods', send: toRead('OPTIONS'), status: 204, headers: { allow: 'GET, HEAD, OPTIONS' } },
  {
    name: 'OPTIONS * is answered',
    send: (target) => request(target, 'OPTIONS *'),
    status: 204,
    headers: { allow: 'GET' },
  },
  { name: 'GET * is no path', send: (target) => request(target, 'GET *'), status: 404 },
  { name: 'a trailing slash makes another path', send: toRead('GET', (path) => `${path}/`), status: 404 },
  { name: 'letter case makes another path', send: toRead('GET', (path) => path.toUpperCase()), status: 404 },
  { name: 'a doubled slash makes another path', send: toRead('GET', (path) => `/${path}`), status: 404 },
  { name: 'dot segments are not resolved', send: toRead('GET', (path) => `/.${path}`), status: 404 },
  { name: 'parent segments are not resolved', send: toRead('GET', (path) => `/a/..${path}`), status: 404 },
  { name: 'a matrix parameter makes another path', send: toRead('GET', (path) => `${path};v=1`), status: 404 },
  { name: 'an encoded letter is the letter', send: toRead('GET', lastLetter), status: 200 },
  { name: 'an encoded slash separates nothing', send: toRead('GET', (path) => `${path}%2F`), status: 404 },
  {
    name: 'an unknown path is not found',
    send: (target) => request(target, `GET ${missing}`),
    status: 404,
    code: 'request.not_found',
  },
  {
    name: 'HEAD of an unknown path is not found',
    send: (target) => request(target, `HEAD ${missing}`),
    options: () => ({ isHead: true }),
    status: 404,
  },
  {
    name: 'OPTIONS of an unknown path is not found',
    send: (target) => request(target, `OPTIONS ${missing}`),
    status: 404,
  },
  {
    name: 'an unknown path is not found whatever the body',
    send: (target) =>
      request(target, `POST ${missing}`, { 'content-type': 'application/json', 'content-length': '1' }, '{'),
    status: 404,
  },
  {
    name: 'an unknown path is not found whatever the media type',
    send: (target) => request(target, `POST ${missing}`, { 'content-type': ';;', 'content-length': '2' }, '{}'),
    status: 404,
  },
  {
    name: 'a wrong method is told the right ones',
    send: toRead('DELETE'),
    status: 405,
    code: 'request.method_not_allowed',
    headers: { allow: 'GET, HEAD, OPTIONS' },
  },
  {
    name: 'a wrong method is wrong before its body is read',
    send: toRead('PUT', undefined, { 'content-type': 'application/json', 'content-length': '1' }, '{'),
    status: 405,
  },
  { name: 'TRACE is not echoed', send: toRead('TRACE'), status: 405 },
  { name: 'a method of another protocol is wrong', send: toRead('PROPFIND'), status: 405 },
  { name: 'CONNECT finds no proxy', send: (target) => request(target, 'CONNECT example.com:443'), status: 405 },
  { name: 'a method in lower case is no method', send: toRead('get'), status: 400 },
  {
    name: 'method override is ignored',
    send: toRead('POST', undefined, { 'x-http-method-override': 'GET', 'content-length': '0' }),
    status: 405,
  },
  {
    name: 'rewrite headers are ignored',
    send: (target) =>
      request(target, `GET ${missing}`, { 'x-original-url': target.readPath, 'x-rewrite-url': target.readPath }),
    status: 404,
  },
  {
    name: 'a target in absolute form is read',
    send: (target) => request(target, `GET ${target.url}${target.readPath}`),
    status: 200,
  },
  {
    name: 'Accept changes nothing',
    send: toRead('GET', undefined, { accept: 'text/html' }),
    status: 200,
    headers: { 'content-type': 'application/json' },
  },
  { name: 'Range changes nothing', send: toRead('GET', undefined, { range: 'bytes=0-1' }), status: 200 },
]

const encoding: readonly Probe[] = [
  ...(['%zz', '%', '%f', '%ff', '%c0%af', '%ed%a0%80', '%00'] as const).map((broken): Probe => ({
    name: `${broken} in a path is refused`,
    send: toRead('GET', (path) => `${path}${broken}`),
    status: 400,
    code: 'request.malformed_path',
  })),
  {
    name: 'a broken encoding in the query is refused',
    send: toRead('GET', (path) => `${path}?a=%zz`),
    status: 400,
    code: 'request.malformed_query',
  },
  { name: 'an empty query is no query', send: toRead('GET', (path) => `${path}?`), status: 200 },
  {
    name: 'a query nobody asked for is refused',
    send: toRead('GET', (path) => `${path}?surprise=1`),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: '__proto__ in the query is refused',
    send: toRead('GET', (path) => `${path}?__proto__=1`),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: 'constructor in the query is refused',
    send: toRead('GET', (path) => `${path}?constructor=1`),
    status: 400,
    code: 'request.invalid',
  },
  { name: 'NUL in the query is refused', send: toRead('GET', (path) => `${path}?a=%00`), status: 400 },
  {
    name: 'raw bytes in a path are refused',
    send: (target) => Buffer.from(request(target, `GET ${target.readPath}\u00ff`), 'latin1'),
    status: 400,
  },
  {
    name: 'a target beyond the limit is refused',
    send: toRead('GET', (path) => `${path}?a=${'a'.repeat(9000)}`),
    status: 414,
    code: 'request.uri_too_long',
  },
]

const framing: readonly Probe[] = [
  {
    name: 'headers beyond the limit are refused',
    send: (target) =>
      request(target, `GET ${target.readPath}`, { 'x-large': 'a'.repeat(target.maxHeaderBytes ?? 16_384) }),
    status: 431,
  },
  {
    name: 'a missing Host is refused',
    send: (target) => `GET ${target.readPath} HTTP/1.1\r\n\r\n`,
    status: 400,
    code: 'request.ambiguous',
  },
  {
    name: 'an empty Host is refused',
    send: toRead('GET', undefined, { host: '' }),
    status: 400,
    code: 'request.ambiguous',
  },
  {
    name: 'two Hosts are refused',
    send: toRead('GET', undefined, { Host: 'other.example' }),
    status: 400,
    code: 'request.ambiguous',
  },
  ...['a b', 'a/../b', 'a?b', 'a@b', '[::1', 'a:b'].map((host): Probe => ({
    name: `${host} in Host names no host`,
    send: toRead('GET', undefined, { host }),
    status: 400,
  })),
  {
    name: 'HTTP/1.0 needs no Host',
    send: (target) => request(target, `GET ${target.readPath}`).replace('HTTP/1.1', 'HTTP/1.0'),
    status: 200,
  },
  {
    name: 'two Authorizations are refused',
    send: toRead('GET', undefined, { authorization: ['Bearer a', 'Bearer b'] }),
    status: 400,
    code: 'request.ambiguous',
  },
  {
    name: 'two Content-Types are refused',
    send: toWrite((target) => json(target), { 'content-type': ['application/json', 'text/plain'] }),
    status: 400,
    code: 'request.ambiguous',
  },
  {
    name: 'two Content-Lengths are refused',
    send: toWrite((target) => json(target), { 'content-length': ['2', '3'] }),
    status: 400,
  },
  {
    name: 'one Content-Length twice is refused',
    send: toWrite(() => '{}', { 'content-length': ['2', '2'] }),
    status: 400,
  },
  { name: 'a negative Content-Length is refused', send: toWrite(() => '', { 'content-length': '-1' }), status: 400 },
  {
    name: 'a hexadecimal Content-Length is refused',
    send: toWrite(() => '', { 'content-length': '0x2' }),
    status: 400,
  },
  {
    name: 'Content-Length beside chunked is refused',
    send: toWrite(() => chunked('{}'), { 'transfer-encoding': 'chunked' }),
    status: 400,
  },
  {
    name: 'a stacked transfer encoding is refused',
    send: (target) =>
      request(
        target,
        `POST ${target.writePath}`,
        { 'content-type': 'application/json', 'transfer-encoding': 'gzip, chunked' },
        chunked('{}'),
      ),
    status: 400,
  },
  {
    name: 'an unknown transfer encoding is refused',
    send: (target) =>
      request(
        target,
        `POST ${target.writePath}`,
        { 'content-type': 'application/json', 'transfer-encoding': 'identity' },
        '{}',
      ),
    status: 400,
  },
  {
    name: 'a broken chunk size is refused',
    send: (target) =>
      request(
        target,
        `POST ${target.writePath}`,
        { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
        'zz\r\n{}\r\n0\r\n\r\n',
      ),
    status: 400,
  },
  {
    name: 'bare line feeds are refused',
    send: (target) => request(target, `GET ${target.readPath}`).replaceAll('\r\n', '\n'),
    status: 400,
  },
  {
    name: 'a blank before a colon is refused',
    send: (target) => request(target, `GET ${target.readPath}`).replace('\r\n\r\n', '\r\nx-a : b\r\n\r\n'),
    status: 400,
  },
  {
    name: 'a folded header is refused',
    send: (target) => request(target, `GET ${target.readPath}`).replace('\r\n\r\n', '\r\nx-a: b\r\n c\r\n\r\n'),
    status: 400,
  },
  { name: 'NUL in a header is refused', send: toRead('GET', undefined, { 'x-a': 'b\0c' }), status: 400 },
  {
    name: 'another version is refused',
    send: (target) => request(target, `GET ${target.readPath}`).replace('HTTP/1.1', 'HTTP/9.9'),
    status: 400,
  },
  {
    name: 'what is not HTTP is refused',
    send: () => '\u0016\u0003\u0001hello\r\n\r\n',
    status: 400,
    code: 'request.malformed',
  },
  {
    name: 'a body on GET is refused',
    send: toRead('GET', undefined, { 'content-length': '2', 'content-type': 'application/json' }, '{}'),
    status: 400,
    code: 'request.unexpected_body',
  },
  {
    name: 'a chunked body on GET is refused',
    send: toRead('GET', undefined, { 'transfer-encoding': 'chunked' }, chunked('{}')),
    status: 400,
    code: 'request.unexpected_body',
  },
  {
    name: 'requests in a pipeline are answered in order',
    send: (target) => `${request(target, `GET ${target.readPath}`)}${request(target, `GET ${missing}`)}`,
    options: () => ({ expect: 2 }),
    status: [200, 404],
  },
  {
    name: 'the connection goes on after a small body that nobody read',
    send: (target) =>
      `${request(target, `POST ${missing}`, { 'content-length': '5' }, 'hello')}${request(target, `GET ${target.readPath}`)}`,
    options: () => ({ expect: 2 }),
    status: [404, 200],
  },
  {
    name: 'an expectation nobody knows is refused',
    send: toRead('GET', undefined, { expect: 'miracles' }),
    status: 417,
  },
  {
    name: '100 Continue comes when the body is wanted',
    send: (target) => expectContinue(target, 'application/json', json(target)).head,
    options: (target) => ({ then: json(target) }),
    status: '2xx',
    interim: [100],
  },
  {
    name: '100 Continue does not come when it is not',
    send: (target) => expectContinue(target, 'text/plain', json(target)).head,
    status: 415,
  },
]

function expectContinue(target: Target, type: string, body: string): { readonly head: string } {
  const length = String(Buffer.byteLength(body))
  return {
    head: request(target, `POST ${target.writePath}`, {
      'content-type': type,
      'content-length': length,
      expect: '100-continue',
    }),
  }
}

const notJson = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=a',
  'application/jsonp',
  'application/json-patch+json',
  'application/json; charset=utf-16',
  'application/json; charset=utf-8; charset=utf-7',
  'application/json, text/plain',
  'application/json;',
  ';;',
  'application/json\t; \tx=y',
]
const isJson = [
  'application/json',
  'application/json; charset=utf-8',
  'Application/JSON;charset=UTF-8',
  'application/json; charset="utf-8"',
  'application/json\t;\tcharset=utf-8',
]

const mediaTypes: readonly Probe[] = [
  ...isJson.map((type): Probe => ({
    name: `${JSON.stringify(type)} is JSON`,
    send: toWrite((target) => json(target), { 'content-type': type }),
    status: '2xx',
  })),
  ...notJson.map((type): Probe => ({
    name: `${JSON.stringify(type)} is not JSON`,
    send: toWrite((target) => json(target), { 'content-type': type }),
    status: 415,
    code: 'request.unsupported_media_type',
  })),
  {
    name: 'a body of no type is not JSON',
    send: (target) => request(target, `POST ${target.writePath}`, { 'content-length': '2' }, '{}'),
    status: 415,
  },
  ...['gzip', 'br', 'deflate', 'zstd', 'identity, gzip'].map((coding): Probe => ({
    name: `a body in ${coding} is refused`,
    send: toWrite((target) => json(target), { 'content-encoding': coding }),
    status: 415,
    code: 'request.unsupported_encoding',
  })),
]

const bodies: readonly Probe[] = [
  {
    name: 'a body in chunks is read',
    send: (target) =>
      request(
        target,
        `POST ${target.writePath}`,
        { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
        chunked(json(target)),
      ),
    status: '2xx',
  },
  {
    name: 'no body where one is due',
    send: (target) => request(target, `POST ${target.writePath}`),
    status: 400,
    code: 'request.missing_body',
  },
  { name: 'an empty body where one is due', send: toWrite(() => ''), status: 400, code: 'request.missing_body' },
  {
    name: 'an empty chunked body where one is due',
    send: (target) =>
      request(
        target,
        `POST ${target.writePath}`,
        { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
        '0\r\n\r\n',
      ),
    status: 400,
    code: 'request.missing_body',
  },
  ...['{', '{"a":}', "{'a':1}", 'undefined', 'NaN', '{"a":1}}', '01', '\ufeff{}', '{"a":"\u0001"}'].map(
    (text): Probe => ({
      name: `${JSON.stringify(text)} is not valid JSON`,
      send: toWrite(() => text),
      status: 400,
      code: 'request.malformed_body',
    }),
  ),
  {
    name: 'bytes that are not UTF-8 are refused',
    send: toWrite(() => Buffer.from([0x22, 0xff, 0xfe, 0x22])),
    status: 400,
    code: 'request.malformed_body',
  },
  { name: 'UTF-16 is refused', send: toWrite((target) => Buffer.from(json(target), 'utf16le')), status: 400 },
  ...['null', '[]', '""', '7', 'true'].map((text): Probe => ({
    name: `${text} is no object`,
    send: toWrite(() => text),
    status: 400,
    code: 'request.invalid',
  })),
  {
    name: 'a member nobody asked for is refused',
    send: toWrite(withMember('"surprise":1')),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: '__proto__ is refused',
    send: toWrite(withMember('"__proto__":{"isAdmin":true}')),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: '__proto__ in escapes is refused',
    send: toWrite(withMember('"\\u005f_proto__":1')),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: 'constructor.prototype is refused',
    send: toWrite(withMember('"constructor":{"prototype":{}}')),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: 'NUL in text is refused',
    send: toWrite(withMember('"surprise":"\\u0000"')),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: 'half of a surrogate pair is refused',
    send: toWrite(withMember('"surprise":"\\ud800"')),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: 'deep nesting is refused',
    send: toWrite((target) => nested(target.maxJsonDepth ?? 32)),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: 'very deep nesting is refused',
    send: toWrite(() => '['.repeat(50_000) + ']'.repeat(50_000)),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: 'a number beyond all bounds is refused',
    send: toWrite((target) => json(target, (body) => mapNumbers(body)).replaceAll('"(huge)"', '1e999')),
    status: 400,
    code: 'request.invalid',
  },
  {
    name: 'a body announced beyond the limit is refused',
    send: toWrite((target) => large(target)),
    status: 413,
    code: 'request.too_large',
    headers: { connection: 'close' },
  },
  {
    name: 'a body grown beyond the limit is refused',
    send: (target) =>
      request(
        target,
        `POST ${target.writePath}`,
        { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
        chunked(large(target)),
      ),
    status: 413,
    code: 'request.too_large',
    headers: { connection: 'close' },
  },
  {
    name: 'ten megabytes are refused',
    send: toWrite(() => `"${'a'.repeat(10_000_000)}"`),
    status: 413,
    code: 'request.too_large',
    headers: { connection: 'close' },
  },
]

const nested = (depth: number): string => `${'['.repeat(depth + 1)}${']'.repeat(depth + 1)}`
const large = (target: Target): string => `"${'a'.repeat(target.maxBodyBytes ?? 102_400)}"`
const mapNumbers = (body: Record<string, unknown>): unknown =>
  Object.fromEntries(Object.entries(body).map(([key, value]) => [key, typeof value === 'number' ? '(huge)' : value]))

/**
 * The questions that frameworks answer differently when left alone: what lies beside the routes. Framework-neutral and
 * runner-neutral; put each to a service with `runProbe`.
 */
export const conformanceProbes: readonly Probe[] = [...routing, ...encoding, ...framing, ...mediaTypes, ...bodies]
