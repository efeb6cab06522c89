import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { webcrypto } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { firstOf } from '../../core/auth/bearer.ts'
import type { Credentials, Principal } from '../../core/auth/principal.ts'
import { ServiceUnavailableError, UnauthorizedError } from '../../foundation/errors.ts'
import { createManualClock } from '../../testing/manual-clock.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { createAccessTokens } from './access-tokens.ts'
import { ecJwk, forge, rsaJwk, withoutMembers } from './forge.test.support.ts'
import type { Jwk } from './jwk.ts'
import { createKeySet, generateKey, jwksText } from './key-set.ts'
import type { RefusalReason } from './refusal.ts'
import { createRemoteIssuer, type RemoteIssuerOptions } from './remote-issuer.ts'

const issuer = 'https://id.example/'
const audience = 'orders-api'
const rsa = rsaJwk('rsa-1')
const nextRsa = rsaJwk('rsa-2')
const ec = ecJwk('ec-1')
const shared = { kty: 'oct', kid: 'oct-1', alg: 'HS256', k: Buffer.alloc(32, 7).toString('base64url') }

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const close of closers.splice(0)) await close()
})

/** Serves keys over a real socket, as well or badly as `behave` says. */
async function serveKeys(initial: RequestListener) {
  const state = { behave: initial, requests: 0 }
  const arrivals = { wake: undefined as (() => void) | undefined }
  const server = createServer((request, response) => {
    state.requests++
    arrivals.wake?.()
    state.behave(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  const arrival = (): Promise<void> =>
    new Promise((resolve) => {
      arrivals.wake = resolve
    })
  return { state, url, arrival }
}

const answer =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  }
const published = (...jwks: readonly Jwk[]): string =>
  JSON.stringify({ keys: jwks.map((jwk) => withoutMembers(jwk, 'd', 'p', 'q', 'dp', 'dq', 'qi')) })
const publish = (...jwks: readonly Jwk[]): RequestListener => answer(200, published(...jwks))
const hang: RequestListener = () => {}

function createSubject(url: string, options: Partial<RemoteIssuerOptions> = {}) {
  const clock = createManualClock()
  const logger = createRecordingLogger()
  const reasons: RefusalReason[] = []
  const subject = createRemoteIssuer({
    issuer,
    audience,
    jwksUrl: url,
    algorithms: ['RS256', 'ES256'],
    toPrincipal: ({ sub }): Principal => ({ id: sub, roles: [], permissions: [] }),
    clock,
    logger,
    onRefused: (reason) => reasons.push(reason),
    ...options,
  })
  /** Who the token is, or the code of the refusal. */
  const judge = async (token: string): Promise<string> => {
    try {
      return (await subject.authenticate(bearer(token)))?.id ?? 'not of its kind'
    } catch (error) {
      if (error instanceof UnauthorizedError || error instanceof ServiceUnavailableError) return error.code
      throw error
    }
  }
  const sign = (claims: object = {}, header: object = {}, key: Jwk = rsa): string => {
    const now = clock.now() / 1000
    const payload = { iss: issuer, aud: audience, sub: 'ada', iat: now, exp: now + 3600, n: Math.random(), ...claims }
    return forge({ alg: key['alg'], kid: key['kid'], typ: 'at+jwt', ...header }, payload, String(key['alg']), key)
  }
  return { ...subject, clock, logger, reasons, judge, sign }
}

const bearer = (token: string): Credentials => ({ authorization: `Bearer ${token}`, cookie: undefined })

describe('given an issuer that publishes its keys', () => {
  test('when its token comes, it is the principal that its claims make, and the claims are frozen', async () => {
    const { url, state } = await serveKeys(publish(rsa, ec))
    const { sign, verify, authenticate } = createSubject(url)
    for (const key of [rsa, ec]) {
      const claims = await verify(sign({ realm: { roles: ['a'] } }, {}, key))
      expect(claims).toMatchObject({ iss: issuer, sub: 'ada', realm: { roles: ['a'] } })
      expect(Object.isFrozen(claims) && Object.isFrozen((claims['realm'] as { roles: unknown }).roles)).toBe(true)
      expect(await authenticate(bearer(sign({}, {}, key)))).toMatchObject({ id: 'ada' })
    }
    expect(state.requests).toBe(1)
  })

  test('when it is seen again, there is no promise and no signature check, and its end is its end', async () => {
    const { url } = await serveKeys(publish(rsa))
    const { sign, verify, clock } = createSubject(url)
    const token = sign({ exp: clock.now() / 1000 + 30 })
    const claims = await verify(token)
    const check = vi.spyOn(webcrypto.subtle, 'verify')
    clock.advance(29_999)
    expect(verify(token)).toBe(claims)
    clock.advance(1)
    expect(() => verify(token)).toThrow(UnauthorizedError)
    expect(check).not.toHaveBeenCalled()
  })

  test('when keys were fetched, no connection is kept that could be dead at the next fetch', async () => {
    const connections: (string | undefined)[] = []
    const { url } = await serveKeys((request, response) => {
      connections.push(request.headers.connection)
      publish(rsa)(request, response)
    })
    const { sign, judge } = createSubject(url)
    expect(await judge(sign())).toBe('ada')
    expect(connections).toEqual(['close'])
  })

  test('when many tokens come before there are keys, one fetch serves them', async () => {
    const { url, state } = await serveKeys(publish(rsa))
    const { sign, judge } = createSubject(url)
    const answers = await Promise.all(Array.from({ length: 100 }, () => judge(sign())))
    expect(new Set(answers)).toEqual(new Set(['ada']))
    expect(state.requests).toBe(1)
  })

  test.each<[string, object, object, RefusalReason]>([
    ['another audience', { aud: 'other' }, {}, 'audience'],
    ['a list without our audience', { aud: ['a', 'b'] }, {}, 'audience'],
    ['a list with more than texts', { aud: [audience, 7] }, {}, 'audience'],
    ['no audience', { aud: undefined }, {}, 'audience'],
    ['no subject', { sub: undefined }, {}, 'claims'],
    ['an empty subject', { sub: '' }, {}, 'claims'],
    ['no exp', { exp: undefined }, {}, 'claims'],
    ['an exp that is a text', { exp: '9999999999' }, {}, 'claims'],
    ['no iat', { iat: undefined }, {}, 'claims'],
    ['a life of a year', { exp: Date.UTC(2027, 0, 1) / 1000 }, {}, 'lifetime'],
    ['nbf tomorrow', { nbf: Date.UTC(2026, 0, 2) / 1000 }, {}, 'not_yet_valid'],
    ['the type of an ID token', {}, { typ: 'JWT' }, 'type'],
    ['no type', {}, { typ: undefined }, 'type'],
    ['alg none', {}, { alg: 'none' }, 'algorithm'],
    ['alg HS256', {}, { alg: 'HS256' }, 'algorithm'],
    ['an algorithm of the same key that is not its own', {}, { alg: 'RS512' }, 'algorithm'],
    ['the algorithm of another key', {}, { alg: 'ES256' }, 'algorithm'],
    ['no kid', {}, { kid: undefined }, 'unknown_key'],
    ['a jku', {}, { jku: 'https://evil.example' }, 'header'],
    ['its own key', {}, { jwk: { kty: 'RSA' } }, 'header'],
    ['crit', {}, { crit: ['x'], x: 1 }, 'header'],
    ['b64', {}, { b64: false }, 'header'],
  ])('when its token has %s, it is refused', async (_, claims, header, reason) => {
    const { url } = await serveKeys(publish(rsa, ec))
    const { sign, judge, reasons } = createSubject(url)
    expect(await judge(sign())).toBe('ada')
    const wrong = forge(
      { alg: 'RS256', kid: 'rsa-1', typ: 'at+jwt', ...header },
      {
        iss: issuer,
        aud: audience,
        sub: 'ada',
        iat: Date.UTC(2026, 0, 1) / 1000,
        exp: Date.UTC(2026, 0, 1) / 1000 + 60,
        ...claims,
      },
      'RS256',
      rsa,
    )
    expect(await judge(wrong)).toBe('auth.token_invalid')
    expect(reasons).toEqual([reason])
  })

  test('when the very first token names another algorithm than its key, it is refused as any later one', async () => {
    const { url } = await serveKeys(publish(rsa))
    const { sign, judge, reasons } = createSubject(url)
    const check = vi.spyOn(webcrypto.subtle, 'verify')
    expect(await judge(sign({}, { alg: 'PS256' }))).toBe('auth.token_invalid')
    expect(reasons).toEqual(['algorithm'])
    expect(check).not.toHaveBeenCalled()
  })

  test.each<[string, object, object]>([
    ['our audience among several', { aud: ['other', audience] }, {}],
    ['a thumbprint of a certificate', {}, { x5t: 'abc', 'x5t#S256': 'def' }],
    ['its type written in full', {}, { typ: 'application/AT+JWT' }],
  ])('when its token has %s, it is accepted', async (_, claims, header) => {
    const { url } = await serveKeys(publish(rsa))
    const { sign, judge } = createSubject(url)
    expect(await judge(sign(claims, header))).toBe('ada')
  })

  test('when it writes another type or none, that is what is required', async () => {
    const { url } = await serveKeys(publish(rsa))
    const jwt = createSubject(url, { typ: 'JWT' })
    expect(await jwt.judge(jwt.sign({}, { typ: 'JWT' }))).toBe('ada')
    expect(await jwt.judge(jwt.sign({}, { typ: undefined }))).toBe('auth.token_invalid')
    const none = createSubject(url, { typ: false })
    expect(await none.judge(none.sign({}, { typ: undefined }))).toBe('ada')
    expect(await none.judge(none.sign({}, { typ: 'JWT' }))).toBe('auth.token_invalid')
  })

  test('when the token is of another issuer or no JWT, it is left to others', async () => {
    const { url, state } = await serveKeys(publish(rsa))
    const { sign, judge, verify, reasons, authenticate } = createSubject(url)
    for (const token of [sign({ iss: 'https://other.example/' }), sign({ iss: issuer.slice(0, -1) }), 'hfk_a.b']) {
      expect(await judge(token)).toBe('not of its kind')
    }
    expect(reasons).toEqual([])
    expect(() => verify(sign({ iss: 'https://other.example/' }))).toThrow(UnauthorizedError)
    expect(state.requests).toBe(0)
    const ada = { id: 'own', roles: [], permissions: [] }
    expect(await firstOf(authenticate, () => ada)(bearer(sign({ iss: 'https://other.example/' })))).toBe(ada)
  })

  test('when the claims make nobody, it is 401, at once or later', async () => {
    const { url } = await serveKeys(publish(rsa))
    for (const toPrincipal of [() => undefined, async () => undefined]) {
      const { sign, judge, reasons } = createSubject(url, { toPrincipal })
      expect(await judge(sign())).toBe('auth.token_invalid')
      expect(reasons).toEqual(['no_principal'])
    }
  })

  test('when asking who that is fails, it is a defect and no 401', async () => {
    const { url } = await serveKeys(publish(rsa))
    const { sign, judge } = createSubject(url, {
      toPrincipal: () => {
        throw new TypeError('a defect')
      },
    })
    await expect(judge(sign())).rejects.toThrow('a defect')
  })

  test('when it publishes keys for other purposes, of other types and broken ones, they are not used', async () => {
    const wrong: Jwk[] = [
      { ...nextRsa, kid: 'enc', use: 'enc' },
      { ...nextRsa, kid: 'ops', key_ops: ['encrypt'] },
      { ...nextRsa, kid: 'alg', alg: 'RS384' },
      { ...nextRsa, kid: 'typed', alg: 'ES256' },
      { ...nextRsa, kid: undefined },
      { ...nextRsa, kid: 'broken', n: 7 },
      { ...generateKey(), kid: 'ed' },
      shared,
    ]
    const { url } = await serveKeys(publish(...wrong, rsa))
    const { sign, judge, reasons } = createSubject(url)
    expect(await judge(sign())).toBe('ada')
    for (const { kid } of wrong) expect(await judge(sign({}, { kid }, nextRsa))).toBe('auth.token_invalid')
    expect(new Set(reasons)).toEqual(new Set(['unknown_key']))
    const withSecret = { alg: 'HS256', kid: 'oct-1', typ: 'at+jwt' }
    expect(await judge(sign({}, withSecret, shared))).toBe('auth.token_invalid')
  })

  test('when its keys name no algorithm, each gets the only one that is allowed for its type', async () => {
    const { url } = await serveKeys(publish({ ...rsa, alg: undefined }, { ...ec, alg: undefined }))
    const one = createSubject(url)
    expect(await one.judge(one.sign())).toBe('ada')
    expect(await one.judge(one.sign({}, {}, ec))).toBe('ada')
    const ambiguous = createSubject(url, { algorithms: ['RS256', 'PS256', 'ES256'] })
    expect(await ambiguous.judge(ambiguous.sign())).toBe('auth.token_invalid')
    expect(await ambiguous.judge(ambiguous.sign({}, {}, ec))).toBe('ada')
  })

  test('when the issuer is a service of ours, its tokens are accepted by the keys it publishes', async () => {
    const keys = createKeySet({ keys: [generateKey()] })
    const { url } = await serveKeys((_, response) => void response.end(jwksText(keys)))
    const { judge, clock } = createSubject(url, { algorithms: ['Ed25519'] })
    const tokens = createAccessTokens({ issuer, audience, keys, clock })
    const { token } = await tokens.issue({ principalId: 'ada', sessionId: 's', roles: [], permissions: [] })
    expect(await judge(token)).toBe('ada')
  })
})

describe('given an issuer that rotates its keys', () => {
  test('when a new key is used, it is fetched once, and the old one goes on while it is published', async () => {
    const { url, state } = await serveKeys(publish(rsa))
    const { sign, judge, clock } = createSubject(url)
    await judge(sign())
    state.behave = publish(rsa, nextRsa)
    clock.advance(9999)
    expect(await judge(sign({}, {}, nextRsa))).toBe('auth.token_invalid')
    clock.advance(1)
    const answers = await Promise.all(Array.from({ length: 20 }, () => judge(sign({}, {}, nextRsa))))
    expect(new Set(answers)).toEqual(new Set(['ada']))
    expect(await judge(sign())).toBe('ada')
    expect(state.requests).toBe(2)
  })

  test('when a key was withdrawn, its tokens are refused once that is known, remembered or not, and others stay remembered', async () => {
    const { url, state } = await serveKeys(publish(rsa, ec))
    const { sign, judge, verify, clock } = createSubject(url, { cacheSeconds: 3600 })
    const [withdrawn, kept] = [sign(), sign({}, {}, ec)]
    for (const token of [withdrawn, kept]) expect(await judge(token)).toBe('ada')
    state.behave = publish(ec)
    clock.advance(600_000)
    expect(await judge(sign({}, {}, ec))).toBe('ada')
    expect(state.requests).toBe(2)
    expect(await judge(withdrawn)).toBe('auth.token_invalid')
    expect(verify(kept)).not.toBeInstanceOf(Promise)
  })

  test('when a flood of unknown key ids comes, it costs one fetch per cool-down', async () => {
    const { url, state } = await serveKeys(publish(rsa))
    const { sign, judge, clock } = createSubject(url)
    await judge(sign())
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 50; at++)
        expect(await judge(sign({}, { kid: `unknown-${round}-${at}` }))).toBe('auth.token_invalid')
      expect(state.requests).toBe(1 + round)
      clock.advance(10_000)
    }
  })

  test('when unknown key ids come at once, few wait and known keys are not held up', async () => {
    const { url, state, arrival } = await serveKeys(publish(rsa))
    const { sign, judge, clock, reasons } = createSubject(url)
    await judge(sign())
    state.behave = hang
    clock.advance(10_000)
    const arrived = arrival()
    const flood = Array.from({ length: 500 }, (_, at) => judge(sign({}, { kid: `unknown-${at}` })))
    await arrived
    expect(reasons).toHaveLength(400)
    expect(await judge(sign())).toBe('ada')
    clock.advance(3000)
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['auth.token_invalid']))
    expect(state.requests).toBe(2)
  })
})

describe('given an issuer that does not answer as it should', () => {
  const drip = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"keys":[')
    const timer = setInterval(() => response.write(' '), 5)
    response.on('close', () => clearInterval(timer))
  }
  const pour = (response: ServerResponse): void => {
    const go = (): void => {
      while (!response.destroyed && response.write(' '.repeat(65_536)));
    }
    response.on('drain', go)
    go()
  }
  // Good keys each time: nothing but what is tested speaks against them.
  const keys = published(rsa)
  const bomb = gzipSync(keys.padEnd(20_000_000))

  test.each<[string, RequestListener]>([
    ['an error', answer(500, keys)],
    ['another success', answer(203, keys)],
    ['no JSON', answer(200, '<html>')],
    ['nothing', answer(200, '')],
    ['null', answer(200, 'null')],
    ['a list', answer(200, '[]')],
    ['a set without keys', answer(200, '{}')],
    ['an empty set', answer(200, '{"keys":[]}')],
    ['keys that are a text', answer(200, '{"keys":"rsa-1"}')],
    ['keys that are no keys', answer(200, '{"keys":[null,7,"x",[],{"kid":"rsa-1"}]}')],
    ['broken UTF-8', (_, response) => response.end(Buffer.from(keys.replace('{', '{"note":"é",'), 'latin1'))],
    ['a declared length beyond the limit', answer(200, keys.padEnd(131_073))],
    ['a flood without end', (_, response) => pour(response)],
    ['a bomb', (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)],
    ['a closed connection', (request) => request.socket.destroy()],
    [
      'half an answer',
      (_, response) => {
        response.writeHead(200, { 'content-length': '1000' }).write('{"keys":')
        setImmediate(() => response.destroy())
      },
    ],
  ])('when it sends %s, no token is judged by it: 503, and the log says why', async (_, behave) => {
    const { url, state } = await serveKeys(behave)
    const { sign, judge, clock, logger } = createSubject(url)
    expect(await judge(sign())).toBe('auth.keys_unavailable')
    expect(logger.lines).toHaveLength(1)
    expect(logger.lines[0]).toMatchObject({ level: 'warn', fields: { keys: 'none' } })
    expect(clock.pending).toBe(0)
    // For a while nobody asks again; then it is well.
    expect(await judge(sign())).toBe('auth.keys_unavailable')
    expect(state.requests).toBe(1)
    state.behave = publish(rsa)
    clock.advance(5000)
    expect(await judge(sign())).toBe('ada')
  })

  test('when it redirects, nobody follows', async () => {
    const target = await serveKeys(publish(rsa))
    for (const status of [301, 302, 303, 307, 308]) {
      const { url } = await serveKeys(answer(status, '', { location: target.url }))
      const { sign, judge } = createSubject(url)
      expect(await judge(sign())).toBe('auth.keys_unavailable')
    }
    expect(target.state.requests).toBe(0)
  })

  test.each<[string, RequestListener]>([
    ['hangs', hang],
    ['trickles', (_, response) => drip(response)],
  ])('when it %s, the time limit ends it for all who wait, and nothing is left behind', async (_, behave) => {
    const { url, state, arrival } = await serveKeys(behave)
    const { sign, judge, clock, logger } = createSubject(url)
    const closed = new Promise<void>((resolve) => {
      const before = state.behave
      state.behave = (request, response) => {
        response.on('close', resolve)
        before(request, response)
      }
    })
    const arrived = arrival()
    const waiting = Array.from({ length: 10 }, () => judge(sign()))
    await arrived
    clock.advance(2999)
    const first = await Promise.race([
      Promise.all(waiting),
      new Promise((resolve) => setTimeout(resolve, 30, 'waiting')),
    ])
    expect(first).toBe('waiting')
    clock.advance(1)
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['auth.keys_unavailable']))
    await closed
    expect(state.requests).toBe(1)
    expect(clock.pending).toBe(0)
    expect(String(logger.lines[0]?.fields['err'])).toContain('no whole answer within 3000 ms')
  })

  test('when nobody listens there, it is 503 with the time to come again', async () => {
    const { url } = await serveKeys(hang)
    await closers.pop()?.()
    const { sign, verify } = createSubject(url)
    const error = await Promise.resolve(verify(sign())).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ServiceUnavailableError)
    expect((error as ServiceUnavailableError).retryAfterSeconds).toBe(5)
    expect(String(error)).not.toContain('127.0.0.1')
  })

  test('when it fails after it was well, its keys go on, and only the first callers wait', async () => {
    const { url, state, arrival } = await serveKeys(publish(rsa))
    const { sign, judge, clock, logger } = createSubject(url)
    await judge(sign())
    state.behave = hang
    clock.advance(600_000)
    const arrived = arrival()
    const first = judge(sign())
    await arrived
    clock.advance(3000)
    expect(await first).toBe('ada')
    expect(logger.lines.at(-1)).toMatchObject({ fields: { keys: 'kept' } })
    clock.advance(5000)
    const again = arrival()
    expect(await judge(sign())).toBe('ada')
    await again
    expect(state.requests).toBe(3)
    // An unknown key id is refused, not answered with 503: there are keys to judge by.
    const unknown = judge(sign({}, {}, nextRsa))
    clock.advance(3000)
    expect(await unknown).toBe('auth.token_invalid')
    state.behave = publish(rsa, nextRsa)
    clock.advance(5000)
    expect(await judge(sign({}, {}, nextRsa))).toBe('ada')
  })

  test('when it is gone for longer than keys are kept, tokens are not believed any more', async () => {
    const { url, state } = await serveKeys(publish(rsa))
    const { sign, judge, clock } = createSubject(url, { keepKeysSeconds: 3600 })
    await judge(sign())
    state.behave = answer(500, '')
    clock.advance(3_599_999)
    expect(await judge(sign())).toBe('ada')
    clock.advance(1)
    expect(await judge(sign())).toBe('auth.keys_unavailable')
  })

  test('when it sends an empty set after keys, that is taken for an accident', async () => {
    const { url, state } = await serveKeys(publish(rsa))
    const { sign, judge, clock } = createSubject(url)
    await judge(sign())
    state.behave = answer(200, '{"keys":[]}')
    clock.advance(600_000)
    expect(await judge(sign())).toBe('ada')
  })

  test('when the logger fails, callers do not', async () => {
    const { url } = await serveKeys(answer(500, ''))
    const broken = createRecordingLogger()
    const warn = () => {
      throw new Error('no log')
    }
    const { sign, judge } = createSubject(url, { logger: { ...broken, warn } })
    expect(await judge(sign())).toBe('auth.keys_unavailable')
  })
})

describe('given options that are not safe', () => {
  const options = {
    issuer,
    audience,
    jwksUrl: 'https://id.example/keys',
    algorithms: ['RS256'],
    toPrincipal: () => undefined,
  }
  const create =
    (wrong: object): (() => unknown) =>
    () =>
      createRemoteIssuer({ ...options, ...wrong } as unknown as RemoteIssuerOptions)

  test.each([
    'https://id.example/keys',
    'http://localhost:8080/keys',
    'http://127.0.0.1/keys',
    'http://127.1/keys',
    'http://[::1]:9/keys',
    new URL('https://id.example/keys'),
  ])('when the keys are at %s, that is taken', (jwksUrl) => {
    expect(create({ jwksUrl })).not.toThrow()
  })

  test.each([
    'http://id.example/keys',
    'http://localhost.evil.example/keys',
    'http://127.0.0.1.evil.example/keys',
    'http://0.0.0.0/keys',
    'http://10.0.0.1/keys',
    'file:///etc/passwd',
    'data:application/json,{}',
    'ftp://id.example/keys',
    'https://user:secret@id.example/keys',
    '/keys',
    '',
    undefined,
  ])('when the keys are at %s, that is refused', (jwksUrl) => {
    expect(create({ jwksUrl })).toThrow(/^jwksUrl /)
  })

  test.each([[[]], [['HS256']], [['RS256', 'HS256']], [['none']], [['constructor']], ['RS256'], [undefined], [[7]]])(
    'when the algorithms are %j, that is refused',
    (algorithms) => {
      expect(create({ algorithms })).toThrow(/^algorithms /)
    },
  )

  test.each<[string, unknown]>([
    ['issuer', ''],
    ['audience', undefined],
    ['typ', ''],
    ['toPrincipal', undefined],
    ['maxLifetimeSeconds', 604_801],
    ['maxTokenChars', 100_000],
    ['timeoutMs', 0],
    ['timeoutMs', Number.POSITIVE_INFINITY],
    ['maxJwksBytes', Number.NaN],
    ['keysFreshSeconds', 0],
    ['keepKeysSeconds', 10],
    ['cooldownSeconds', 0],
    ['cacheSeconds', -1],
    ['maxCached', 0],
    ['clockToleranceSeconds', 3600],
  ])('when %s is %s, it is named at creation', (name, value) => {
    expect(create({ [name]: value })).toThrow(new RegExp(`^${name} is `))
  })
})
