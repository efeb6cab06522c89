import { randomBytes, webcrypto } from 'node:crypto'
import { CompactEncrypt, FlattenedSign, importJWK, type JWK } from 'jose'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { AccessClaims } from '../../core/auth/access-token.ts'
import type { Clock } from '../../foundation/clock.ts'
import { ServiceUnavailableError, UnauthorizedError } from '../../foundation/errors.ts'
import { createManualClock } from '../../testing/manual-clock.ts'
import { type AccessTokensOptions, createAccessTokens } from './access-tokens.ts'
import { base64url, decodePart, ecJwk, forge, rsaJwk, signatureOf, withoutMembers } from './forge.test.support.ts'
import type { Jwk } from './jwk.ts'
import { createKeySet, generateKey } from './key-set.ts'
import type { RefusalReason } from './refusal.ts'

const issuer = 'https://api.example'
const audience = 'example-api'
const startedAt = Date.UTC(2026, 5, 1, 12, 0, 0, 123)
const grant = { principalId: 'ada', sessionId: 's1', roles: ['clerk'], permissions: ['orders:read'] }

const ed = { ...generateKey(), kid: 'ed' }
const ec = ecJwk('ec')
const rsa = rsaJwk('rsa')
const shared = { kty: 'oct', kid: 'shared', alg: 'HS256', k: randomBytes(32).toString('base64url') }
const keysOfAllKinds = { keys: [ed, ec, rsa, shared] }

/** A clock whose wall clock an administrator may set, while its durations go on. */
function createSteppedClock() {
  const manual = createManualClock({ now: startedAt })
  let offset = 0
  const clock: Clock = { ...manual, now: () => manual.now() + offset, elapsed: () => manual.elapsed() }
  return {
    clock,
    advance: (ms: number) => manual.advance(ms),
    step: (ms: number) => {
      offset += ms
    },
  }
}

function createSubject(options: Partial<AccessTokensOptions> = {}) {
  const time = createSteppedClock()
  const reasons: RefusalReason[] = []
  const keys = createKeySet(keysOfAllKinds)
  const tokens = createAccessTokens({
    issuer,
    audience,
    keys,
    clock: time.clock,
    onRefused: (reason) => reasons.push(reason),
    ...options,
  })
  /** The code of the refusal, or `accepted`. */
  const judge = async (token: unknown): Promise<string> => {
    try {
      await tokens.verify(token as string)
      return 'accepted'
    } catch (error) {
      if (error instanceof UnauthorizedError) return error.code
      throw error
    }
  }
  return { ...time, tokens, keys, reasons, judge }
}

const seconds = startedAt / 1000
const goodHeader = { alg: 'Ed25519', kid: 'ed', typ: 'at+jwt' }
const goodPayload = {
  iss: issuer,
  aud: audience,
  sub: 'ada',
  sid: 's1',
  jti: 'j',
  iat: seconds,
  exp: seconds + 900,
  roles: ['clerk'],
  permissions: ['orders:read'],
}
const good = forge(goodHeader, goodPayload, 'EdDSA', ed)
const [goodHead, goodBody, goodSignature] = good.split('.') as [string, string, string]
const signed = (header: unknown, payload: unknown = goodPayload): string => forge(header, payload, 'EdDSA', ed)
const withHeader = (members: object): string => signed({ ...goodHeader, ...members })
const withClaims = (claims: object): string => signed(goodHeader, { ...goodPayload, ...claims })
afterEach(() => {
  vi.restoreAllMocks()
})

describe('given an access token', () => {
  test('when it is issued, it has the shape of RFC 9068 and its times to the millisecond', async () => {
    const { tokens } = createSubject()
    const { token, expiresInSeconds } = await tokens.issue(grant)
    expect(expiresInSeconds).toBe(900)
    expect(tokens.lifetimeSeconds).toBe(900)
    expect(decodePart(token, 0)).toEqual({ alg: 'Ed25519', kid: 'ed', typ: 'at+jwt' })
    const { jti, ...payload } = decodePart(token, 1)
    expect(jti).toMatch(/^[\da-f-]{36}$/)
    expect(payload).toEqual({
      iss: issuer,
      aud: audience,
      sub: 'ada',
      sid: 's1',
      iat: startedAt / 1000,
      exp: (startedAt + 900_000) / 1000,
      roles: ['clerk'],
      permissions: ['orders:read'],
    })
  })

  test.each(keysOfAllKinds.keys)('when it was signed with $alg, it verifies, frozen', async (jwk) => {
    const { tokens } = createSubject({
      keys: createKeySet({ keys: [jwk, ...keysOfAllKinds.keys.filter((other) => other !== jwk)] }),
    })
    const claims = await tokens.verify((await tokens.issue(grant)).token)
    expect(claims).toEqual({ ...grant, issuedAt: startedAt, expiresAt: startedAt + 900_000 })
    expect([claims, claims.roles, claims.permissions].every((value) => Object.isFrozen(value))).toBe(true)
  })

  test('when it is dated by the clock of the session store, its life is measured by this one all the same', async () => {
    const { tokens, advance } = createSubject()
    for (const offMs of [-3_600_000, 3_600_000, -0.4]) {
      const { token } = await tokens.issue(grant, { issuedAt: startedAt + offMs })
      const claims = await tokens.verify(token)
      expect(claims.issuedAt).toBe(Math.floor(startedAt + offMs))
      expect(claims.expiresAt).toBe(startedAt + 900_000)
    }
    const { token } = await tokens.issue(grant, { issuedAt: startedAt + 3_600_000 })
    advance(900_000)
    expect(() => tokens.verify(token)).toThrow(UnauthorizedError)
  })

  test('when it was forged with the right key and nothing wrong, it is accepted: the forger of these tests works', async () => {
    const { judge } = createSubject()
    expect(await judge(good)).toBe('accepted')
    expect(await judge(forge({ ...goodHeader, alg: 'ES256', kid: 'ec' }, goodPayload, 'ES256', ec))).toBe('accepted')
    expect(await judge(forge({ ...goodHeader, alg: 'RS256', kid: 'rsa' }, goodPayload, 'RS256', rsa))).toBe('accepted')
    expect(await judge(forge({ ...goodHeader, alg: 'HS256', kid: 'shared' }, goodPayload, 'HS256', shared))).toBe(
      'accepted',
    )
    expect(await judge(withClaims({ jti: undefined, nbf: seconds }))).toBe('accepted')
  })

  test('when more is granted than a token holds, issuing fails instead of every call after it', async () => {
    const { tokens } = createSubject()
    const permissions = Array.from({ length: 200 }, (_, at) => `area-${at}:some-action`)
    await expect(tokens.issue({ ...grant, permissions })).rejects.toThrow(/at most 4096 are accepted/)
  })

  test.each<[string, object]>([
    ['no principal', { principalId: '' }],
    ['a principal of a number', { principalId: 7 }],
    ['a long session', { sessionId: 's'.repeat(256) }],
    ['roles that are a text', { roles: 'admin' }],
    ['a permission that is null', { permissions: [null] }],
    ['too many roles', { roles: Array.from({ length: 257 }, () => 'r') }],
  ])('when %s is granted, issuing fails', async (_, wrong) => {
    await expect(createSubject().tokens.issue({ ...grant, ...wrong })).rejects.toThrow(TypeError)
  })

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('when it is dated %s, issuing fails', async (issuedAt) => {
    await expect(createSubject().tokens.issue(grant, { issuedAt })).rejects.toThrow(RangeError)
  })
})

describe('given a forged token', () => {
  const { x } = ed as Jwk
  const publicTexts = [String(x), JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x })]
  const attacker = generateKey()
  const attackerPublic = withoutMembers(attacker, 'd')
  const none = (alg: string, signature = ''): string =>
    `${base64url(JSON.stringify({ ...goodHeader, alg }))}.${goodBody}.${signature}`
  const flipped = goodSignature[10] === 'A' ? 'B' : 'A'
  const lastOf = (text: string): string => text.slice(-1)
  /** Another spelling of the same bytes: the four pad bits of the last character differ. */
  const respell = (part: string): string => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return part.slice(0, -1) + alphabet[alphabet.indexOf(lastOf(part)) + 1]!
  }

  const attacks: [string, string, RefusalReason][] = [
    // RFC 8725 §2.1, §3.1: algorithms
    ...['none', 'None', 'NONE', 'nOnE', 'noNE', ''].flatMap((alg): [string, string, RefusalReason][] => [
      [`alg ${alg}, without signature`, none(alg), 'malformed'],
      [`alg ${alg}, with a signature`, none(alg, goodSignature), 'algorithm'],
    ]),
    ['alg that is a list', withHeader({ alg: ['Ed25519'] }), 'algorithm'],
    ['alg that is null', withHeader({ alg: null }), 'algorithm'],
    ['no alg', signed(withoutMembers(goodHeader, 'alg')), 'algorithm'],
    ...publicTexts.map((text): [string, string, RefusalReason] => [
      'HS256 with the public key as secret',
      forge({ ...goodHeader, alg: 'HS256' }, goodPayload, 'HS256', text),
      'algorithm',
    ]),
    [
      'HS256 of the shared key under the id of another',
      forge({ ...goodHeader, alg: 'HS256' }, goodPayload, 'HS256', shared),
      'algorithm',
    ],
    ['the older name of the same algorithm', withHeader({ alg: 'EdDSA' }), 'algorithm'],
    ['alg in small letters', withHeader({ alg: 'ed25519' }), 'algorithm'],
    [
      'RS512 with the key of RS256',
      forge({ ...goodHeader, alg: 'RS512', kid: 'rsa' }, goodPayload, 'RS256', rsa),
      'algorithm',
    ],
    [
      'PS256 with the key of RS256',
      forge({ ...goodHeader, alg: 'PS256', kid: 'rsa' }, goodPayload, 'RS256', rsa),
      'algorithm',
    ],
    [
      'a signature by ES256 under the id of RS256',
      forge({ ...goodHeader, alg: 'RS256', kid: 'rsa' }, goodPayload, 'ES256', ec),
      'signature',
    ],
    [
      'a signature in DER instead of two numbers',
      `${base64url(JSON.stringify({ ...goodHeader, alg: 'ES256', kid: 'ec' }))}.${goodBody}.${base64url(randomBytes(71))}`,
      'signature',
    ],
    // kid: untrusted input
    ...[
      'other',
      'ED',
      'ed ',
      '',
      '../../etc/passwd',
      '/dev/null',
      "x' UNION SELECT 'a'--",
      '$(id)',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      '0',
      'ed\u0000',
    ].map((kid): [string, string, RefusalReason] => [`kid ${JSON.stringify(kid)}`, withHeader({ kid }), 'unknown_key']),
    ...[null, 0, ['ed'], { kid: 'ed' }, true].map((kid): [string, string, RefusalReason] => [
      `kid ${JSON.stringify(kid)}`,
      withHeader({ kid }),
      'unknown_key',
    ]),
    ['no kid', signed(withoutMembers(goodHeader, 'kid')), 'unknown_key'],
    // RFC 8725 §3.11: explicit types
    ['no typ', signed(withoutMembers(goodHeader, 'typ')), 'type'],
    ...[
      'JWT',
      'jwt',
      'AT+JWT',
      'application/at+jwt',
      'at+jwt ',
      'id+jwt',
      'refresh+jwt',
      'logout+jwt',
      'secevent+jwt',
      'dpop+jwt',
      '',
    ].map((typ): [string, string, RefusalReason] => [`typ ${JSON.stringify(typ)}`, withHeader({ typ }), 'type']),
    ['typ that is a list', withHeader({ typ: ['at+jwt'] }), 'type'],
    // Keys and rules brought along
    ['its own key', forge({ ...goodHeader, jwk: attackerPublic }, goodPayload, 'EdDSA', attacker), 'header'],
    ...(['jku', 'x5u'] as const).map((name): [string, string, RefusalReason] => [
      name,
      withHeader({ [name]: 'https://evil.example/keys' }),
      'header',
    ]),
    ['x5c', withHeader({ x5c: ['MIIB'] }), 'header'],
    ['x5t', withHeader({ x5t: 'abc' }), 'header'],
    ['crit unknown', withHeader({ crit: ['exp'], exp: 1 }), 'header'],
    ['crit empty', withHeader({ crit: [] }), 'header'],
    ['b64 false', forge({ ...goodHeader, b64: false, crit: ['b64'] }, goodPayload, 'EdDSA', ed), 'header'],
    ['b64 true', withHeader({ b64: true }), 'header'],
    ['zip', withHeader({ zip: 'DEF' }), 'header'],
    ['cty: a nested token', signed({ ...goodHeader, cty: 'JWT' }), 'header'],
    ['p2c', withHeader({ p2c: 2_000_000_000 }), 'header'],
    [
      'a member of the prototype',
      signed('{"alg":"Ed25519","kid":"ed","typ":"at+jwt","__proto__":{"crit":[]}}'),
      'malformed',
    ],
    // Members twice
    ['alg twice, none last', signed('{"alg":"Ed25519","kid":"ed","typ":"at+jwt","alg":"none"}'), 'malformed'],
    ['alg twice, none first', signed('{"alg":"none","kid":"ed","typ":"at+jwt","alg":"Ed25519"}'), 'malformed'],
    [
      'kid twice, once escaped',
      signed(String.raw`{"alg":"Ed25519","kid":"x","typ":"at+jwt","k\u0069d":"ed"}`),
      'malformed',
    ],
    ['sub twice', signed(goodHeader, JSON.stringify(goodPayload).replace('{', '{"sub":"admin",')), 'malformed'],
    [
      'sub twice, deep down',
      signed(goodHeader, JSON.stringify(goodPayload).replace('{', '{"act":[{"sub":"a","sub":"b"}],')),
      'malformed',
    ],
    [
      'a payload with __proto__',
      signed(goodHeader, JSON.stringify(goodPayload).replace('{', '{"__proto__":{"a":1},')),
      'malformed',
    ],
    // Form
    ['nothing', '', 'malformed'],
    ['two dots', '..', 'malformed'],
    ['garbage', 'garbage', 'malformed'],
    ['garbage in three parts', 'a.b.c', 'malformed'],
    ['no header', `.${goodBody}.${goodSignature}`, 'malformed'],
    ['no payload', `${goodHead}..${goodSignature}`, 'malformed'],
    ['no signature', `${goodHead}.${goodBody}.`, 'malformed'],
    ['two parts', `${goodHead}.${goodBody}`, 'malformed'],
    ['four parts', `${good}.AAAA`, 'malformed'],
    ['a line break at the end', `${good}\n`, 'malformed'],
    ['a space before', ` ${good}`, 'malformed'],
    ['padding', `${good}==`, 'malformed'],
    ['plus and slash', `${goodHead}.${goodBody}.${goodSignature.slice(0, -4)}+/AA`, 'malformed'],
    ['another spelling of the signature', `${goodHead}.${goodBody}.${respell(goodSignature)}`, 'malformed'],
    ['a length that no bytes have', `${good}AAA`, 'malformed'],
    [
      'JSON serialisation',
      JSON.stringify({ protected: goodHead, payload: goodBody, signature: goodSignature }),
      'malformed',
    ],
    ['a header that is a list', signed('["Ed25519"]'), 'malformed'],
    ['a header that is null', signed('null'), 'malformed'],
    ['a header that is no JSON', signed('{alg:1}'), 'malformed'],
    ['a header after a byte order mark', signed(`\ufeff${JSON.stringify(goodHeader)}`), 'malformed'],
    ['a payload that is a list', signed(goodHeader, '[1]'), 'malformed'],
    ['a payload that is a text', signed(goodHeader, '"ada"'), 'malformed'],
    ['a payload that is no JSON', signed(goodHeader, 'ada'), 'malformed'],
    [
      'a payload that is no UTF-8',
      signed(goodHeader, Buffer.from(JSON.stringify({ ...goodPayload, jti: 'é' }), 'latin1')),
      'malformed',
    ],
    ['a payload that is deep', signed(goodHeader, `{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`), 'malformed'],
    // Signature
    [
      'a flipped signature',
      `${goodHead}.${goodBody}.${goodSignature.slice(0, 10)}${flipped}${goodSignature.slice(11)}`,
      'signature',
    ],
    ['a signature cut short', `${goodHead}.${goodBody}.${goodSignature.slice(0, -2)}`, 'signature'],
    ['a signature of one byte', `${goodHead}.${goodBody}.AA`, 'signature'],
    ['a signature made longer', `${goodHead}.${goodBody}.${goodSignature.slice(0, -2)}AAAA`, 'signature'],
    ['a signature of zeros', `${goodHead}.${goodBody}.${base64url(new Uint8Array(64))}`, 'signature'],
    ['the signature of another key', forge(goodHeader, goodPayload, 'EdDSA', attacker), 'signature'],
    [
      'the signature of another payload',
      `${goodHead}.${base64url(JSON.stringify({ ...goodPayload, sub: 'root' }))}.${goodSignature}`,
      'signature',
    ],
    [
      'the numbers of CVE-2022-21449',
      `${base64url(JSON.stringify({ ...goodHeader, alg: 'ES256', kid: 'ec' }))}.${goodBody}.${base64url(new Uint8Array(64))}`,
      'signature',
    ],
    // Claims
    ...['iss', 'aud', 'sub', 'sid', 'iat', 'exp', 'roles', 'permissions'].map(
      (name): [string, string, RefusalReason] => [
        `no ${name}`,
        signed(goodHeader, withoutMembers(goodPayload, name)),
        name === 'iss' ? 'issuer' : name === 'aud' ? 'audience' : 'claims',
      ],
    ),
    ...[null, 7, '', ' https://api.example', 'https://api.example/', [issuer]].map(
      (iss): [string, string, RefusalReason] => [`iss ${JSON.stringify(iss)}`, withClaims({ iss }), 'issuer'],
    ),
    ...[null, 7, '', 'other-api', [audience], [audience, 'other-api'], { [audience]: true }].map(
      (aud): [string, string, RefusalReason] => [`aud ${JSON.stringify(aud)}`, withClaims({ aud }), 'audience'],
    ),
    ...[null, 7, '', ['ada'], {}, 'a'.repeat(256)].flatMap((value): [string, string, RefusalReason][] => [
      [`sub ${JSON.stringify(value).slice(0, 20)}`, withClaims({ sub: value }), 'claims'],
      [`sid ${JSON.stringify(value).slice(0, 20)}`, withClaims({ sid: value }), 'claims'],
    ]),
    ...[null, '1780315200', [seconds], {}, true, -1, 1e300].flatMap((value): [string, string, RefusalReason][] => [
      [`exp ${JSON.stringify(value)}`, withClaims({ exp: value }), 'claims'],
      [`iat ${JSON.stringify(value)}`, withClaims({ iat: value }), 'claims'],
      [`nbf ${JSON.stringify(value)}`, withClaims({ nbf: value }), 'claims'],
      [`rights_at ${JSON.stringify(value)}`, withClaims({ rights_at: value }), 'claims'],
    ]),
    [
      'exp beyond all numbers',
      signed(goodHeader, JSON.stringify(goodPayload).replace(/"exp":[\d.]+/, '"exp":1e999')),
      'claims',
    ],
    ['exp before iat', withClaims({ exp: seconds - 1 }), 'claims'],
    ...[null, 'admin', { 0: 'admin', length: 1 }, [7], [null], [['admin']], [''], ['r'.repeat(256)]].flatMap(
      (value): [string, string, RefusalReason][] => [
        [`roles ${JSON.stringify(value).slice(0, 20)}`, withClaims({ roles: value }), 'claims'],
        [`permissions ${JSON.stringify(value).slice(0, 20)}`, withClaims({ permissions: value }), 'claims'],
      ],
    ),
    ['more roles than anybody has', withClaims({ roles: Array.from({ length: 257 }, () => 'r') }), 'claims'],
    ['a life of more than an hour', withClaims({ exp: seconds + 3601 }), 'lifetime'],
    ['a life without end', withClaims({ exp: 253_402_300_799 }), 'lifetime'],
    ['not yet valid', withClaims({ nbf: seconds + 5.002 }), 'not_yet_valid'],
    ['issued tomorrow', withClaims({ iat: seconds + 86_400, exp: seconds + 86_400 + 60 }), 'not_yet_valid'],
    // Size
    ['4097 characters', good.padEnd(4097, 'A'), 'too_long'],
    ['ten megabytes', 'A'.repeat(10_000_000), 'too_long'],
  ]

  test.each(attacks)('when it has %s, it is refused, and the caller is not told why', async (_, token, reason) => {
    const { judge, reasons } = createSubject()
    expect(await judge(token)).toBe('auth.token_invalid')
    expect(reasons).toEqual([reason])
  })

  test('when it is a JWE, also one made for our public key, it is refused', async () => {
    const { judge, reasons } = createSubject()
    const publicRsa = { kty: 'RSA', n: rsa['n'], e: rsa['e'] } as JWK
    const jwe = await new CompactEncrypt(Buffer.from(good))
      .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: 'rsa', cty: 'JWT' })
      .encrypt(await importJWK(publicRsa, 'RSA-OAEP-256'))
    expect(await judge(jwe)).toBe('auth.token_invalid')
    expect(reasons).toEqual(['malformed'])
  })

  test('when its payload was signed unencoded and put in place, it is refused', async () => {
    const { judge } = createSubject()
    const flattened = await new FlattenedSign(Buffer.from(JSON.stringify(goodPayload)))
      .setProtectedHeader({ ...goodHeader, alg: 'Ed25519', b64: false, crit: ['b64'] })
      .sign(await importJWK(ed as JWK, 'Ed25519'))
    expect(await judge(`${flattened.protected}.${goodBody}.${flattened.signature}`)).toBe('auth.token_invalid')
  })

  test('when the public key in PEM is the secret, it is refused', async () => {
    const { judge } = createSubject()
    const pem = String(
      createKeySet({ keys: [ed] })
        .find('ed')
        ?.key.export({ format: 'pem', type: 'spki' }),
    )
    for (const alg of ['HS256', 'Ed25519']) {
      const head = base64url(JSON.stringify({ ...goodHeader, alg }))
      expect(await judge(`${head}.${goodBody}.${signatureOf(`${head}.${goodBody}`, 'HS256', pem)}`)).toBe(
        'auth.token_invalid',
      )
    }
  })

  test.each([undefined, null, 7, {}, [good], Buffer.from(good)])(
    'when %o is given for a token, it is refused',
    async (token) => {
      expect(await createSubject().judge(token)).toBe('auth.token_invalid')
    },
  )

  test('when any one of its bits is flipped, it is refused', async () => {
    const { judge } = createSubject({ cacheSeconds: 60 })
    expect(await judge(good)).toBe('accepted')
    for (let at = 0; at < good.length; at += 3) {
      const other = String.fromCharCode(good.charCodeAt(at) ^ 1)
      expect(await judge(good.slice(0, at) + other + good.slice(at + 1))).toBe('auth.token_invalid')
    }
  })

  test('when it is cut at any place, it is refused and nothing breaks', async () => {
    const { judge } = createSubject()
    for (const [alg, kid, key] of [
      ['EdDSA', 'ed', ed],
      ['ES256', 'ec', ec],
      ['RS256', 'rsa', rsa],
      ['HS256', 'shared', shared],
    ] as const) {
      const token = forge({ ...goodHeader, alg: alg === 'EdDSA' ? 'Ed25519' : alg, kid }, goodPayload, alg, key)
      expect(await judge(token)).toBe('accepted')
      for (let at = 0; at < token.length; at += 5) expect(await judge(token.slice(0, at))).toBe('auth.token_invalid')
      for (const more of ['AAA', 'AAAA', 'A'.repeat(300)]) {
        expect(await judge(token.slice(0, -2) + more)).toBe('auth.token_invalid')
      }
    }
  })

  test('when refused, the error has no stack, no cause, and nothing of the token or the reason', () => {
    const { tokens } = createSubject()
    const error = refusalOf(() => tokens.verify(withHeader({ typ: 'secret-type' })))
    expect(error.stack).not.toContain('\n    at ')
    expect(error.cause).toBeUndefined()
    expect(`${error.message}${JSON.stringify(error)}`).not.toMatch(/typ|secret|at\+jwt/)
  })

  test('when a cheap question refuses it, no signature is checked and no promise made', () => {
    const check = vi.spyOn(webcrypto.subtle, 'verify')
    const { tokens } = createSubject()
    const cheap = attacks.filter(([, , reason]) => reason !== 'signature')
    for (const [, token] of cheap) expect(() => tokens.verify(token)).toThrow(UnauthorizedError)
    expect(cheap.length).toBeGreaterThan(100)
    expect(check).not.toHaveBeenCalled()
  })

  test('when the counter of refusals fails, the answer is 401 all the same', async () => {
    const onRefused = () => {
      throw new Error('no counter')
    }
    expect(await createSubject({ onRefused }).judge('garbage')).toBe('auth.token_invalid')
  })
})

describe('given the time', () => {
  test('when the token ends, it is good until the last millisecond and expired from the next, cached or not', async () => {
    for (const cacheSeconds of [0, 3600]) {
      const { tokens, judge, advance, reasons } = createSubject({ cacheSeconds })
      const { token } = await tokens.issue(grant)
      expect(await judge(token)).toBe('accepted')
      advance(899_999)
      expect(await judge(token)).toBe('accepted')
      advance(1)
      expect(await judge(token)).toBe('auth.token_expired')
      expect(reasons).toEqual(['expired'])
    }
  })

  test('when its issuer is ahead, the tolerance is for the beginning and ends on the millisecond', async () => {
    const { judge, advance } = createSubject()
    const ahead = withClaims({ iat: seconds + 5.001 })
    expect(await judge(ahead)).toBe('auth.token_invalid')
    advance(1)
    expect(await judge(ahead)).toBe('accepted')
    expect(await judge(withClaims({ nbf: seconds + 5.002 }))).toBe('auth.token_invalid')
    expect(await judge(withClaims({ nbf: seconds + 5.001 }))).toBe('accepted')
  })

  test('when the clock is set an hour ahead, tokens have expired, and new ones are good', async () => {
    const { tokens, judge, step } = createSubject()
    const { token } = await tokens.issue(grant)
    expect(await judge(token)).toBe('accepted')
    step(3_600_000)
    expect(await judge(token)).toBe('auth.token_expired')
    expect(await judge((await tokens.issue(grant)).token)).toBe('accepted')
  })

  test('when the clock is set back an hour, tokens of the future are refused, cached or not, and new ones are good', async () => {
    const { tokens, judge, step } = createSubject()
    const { token } = await tokens.issue(grant)
    expect(await judge(token)).toBe('accepted')
    step(-3_600_000)
    expect(await judge(token)).toBe('auth.token_invalid')
    expect(await judge((await tokens.issue(grant)).token)).toBe('accepted')
    step(3_600_000)
    expect(await judge(token)).toBe('accepted')
  })

  test('when the clock is set back again and again, a remembered token is checked anew after its time', async () => {
    const check = vi.spyOn(webcrypto.subtle, 'verify')
    const { tokens, judge, advance, step } = createSubject({ cacheSeconds: 60 })
    const { token } = await tokens.issue(grant)
    await judge(token)
    advance(60_000)
    step(-60_000)
    await judge(token)
    expect(check).toHaveBeenCalledTimes(2)
  })

  test('when instances differ in lifetime during a deployment, each accepts what the other issues, for its own time', async () => {
    const short = createSubject({ lifetimeSeconds: 300 })
    const long = createSubject({ lifetimeSeconds: 3600 })
    const { token } = await long.tokens.issue(grant)
    expect(((await short.tokens.verify(token)) satisfies AccessClaims).expiresAt).toBe(startedAt + 300_000)
    short.advance(299_999)
    expect(await short.judge(token)).toBe('accepted')
    short.advance(1)
    expect(await short.judge(token)).toBe('auth.token_expired')
    expect(await long.judge((await short.tokens.issue(grant)).token)).toBe('auth.token_invalid')
    long.advance(300_000)
    expect(await long.judge((await short.tokens.issue(grant)).token)).toBe('accepted')
  })
})

describe('given tokens that were verified', () => {
  test('when one comes again, it is the same answer without a promise and without a signature check', async () => {
    const { tokens, advance } = createSubject()
    const { token } = await tokens.issue(grant)
    const claims = await tokens.verify(token)
    const check = vi.spyOn(webcrypto.subtle, 'verify')
    advance(59_999)
    expect(tokens.verify(token)).toBe(claims)
    expect(check).not.toHaveBeenCalled()
    advance(1)
    expect(tokens.verify(token)).toBeInstanceOf(Promise)
  })

  test('when remembering is off, each is checked', async () => {
    const check = vi.spyOn(webcrypto.subtle, 'verify')
    const { tokens } = createSubject({ cacheSeconds: 0 })
    const { token } = await tokens.issue(grant)
    for (let at = 0; at < 3; at++) await tokens.verify(token)
    expect(check).toHaveBeenCalledTimes(3)
  })

  test('when many ask about one at once, its signature is checked once', async () => {
    const check = vi.spyOn(webcrypto.subtle, 'verify')
    const { tokens } = createSubject({ cacheSeconds: 0 })
    const { token } = await tokens.issue(grant)
    const answers = await Promise.all(Array.from({ length: 50 }, async () => tokens.verify(token)))
    expect(new Set(answers).size).toBe(1)
    expect(check).toHaveBeenCalledTimes(1)
  })

  test('when a flood of bad ones follows, none of the good is displaced', async () => {
    const { tokens, judge } = createSubject({ maxCached: 3 })
    const mine = await Promise.all([1, 2, 3].map(async () => (await tokens.issue(grant)).token))
    for (const token of mine) await tokens.verify(token)
    for (let at = 0; at < 200; at++) {
      expect(await judge(`${goodHead}.${goodBody}.${base64url(randomBytes(64))}`)).toBe('auth.token_invalid')
      expect(await judge(randomBytes(100).toString('base64url'))).toBe('auth.token_invalid')
    }
    for (const token of mine) expect(tokens.verify(token)).not.toBeInstanceOf(Promise)
  })

  test('when more are verified than are remembered, the one used longest ago makes room', async () => {
    const { tokens } = createSubject({ maxCached: 2 })
    const [a, b, c] = (await Promise.all([1, 2, 3].map(() => tokens.issue(grant)))).map(({ token }) => token) as [
      string,
      string,
      string,
    ]
    for (const token of [a, b, a, c]) await tokens.verify(token)
    expect(tokens.verify(a)).not.toBeInstanceOf(Promise)
    expect(tokens.verify(b)).toBeInstanceOf(Promise)
  })

  test('when more wait than can be checked soon, the rest is told to come again, and then all is well', async () => {
    const { tokens, judge } = createSubject()
    const issued = await Promise.all(Array.from({ length: 1001 }, () => tokens.issue(grant)))
    const answers = await Promise.allSettled(issued.map(async ({ token }) => tokens.verify(token)))
    const refused = answers.filter((answer) => answer.status === 'rejected')
    expect(refused).toHaveLength(1)
    expect(refused[0]?.reason).toBeInstanceOf(ServiceUnavailableError)
    expect(await judge(issued.at(-1)?.token)).toBe('accepted')
  })
})

describe('given a key that leaves the set', () => {
  test('when it has gone, its tokens are refused at once, remembered or not, and those of others stay remembered', async () => {
    const { tokens, keys, judge, reasons } = createSubject()
    const leaked = (await tokens.issue(grant)).token
    keys.replace({ keys: [ec, ed] })
    const kept = (await tokens.issue(grant)).token
    for (const token of [leaked, kept]) expect(await judge(token)).toBe('accepted')
    keys.replace({ keys: [ec] })
    expect(await judge(leaked)).toBe('auth.token_invalid')
    expect(reasons).toEqual(['unknown_key'])
    expect(tokens.verify(kept)).not.toBeInstanceOf(Promise)
  })

  test('when its check is under way, the answer is a refusal and nothing is remembered', async () => {
    const { tokens, keys, judge } = createSubject()
    const { token } = await tokens.issue(grant)
    const answer = judge(token)
    keys.replace({ keys: [ec] })
    expect(await answer).toBe('auth.token_invalid')
    expect(await judge(token)).toBe('auth.token_invalid')
  })

  test('when another key has taken its id, its tokens are refused', async () => {
    const { tokens, keys, judge } = createSubject()
    const { token } = await tokens.issue(grant)
    expect(await judge(token)).toBe('accepted')
    keys.replace({ keys: [{ ...generateKey(), kid: 'ed' }] })
    expect(await judge(token)).toBe('auth.token_invalid')
  })

  test('when keys are rotated 20 times under load, no token whose key is in the set is ever refused', async () => {
    const all = Array.from({ length: 22 }, (_, at) => ({ ...generateKey(), kid: `k${at}` }))
    const keys = createKeySet({ keys: [all[0]!, all[1]!] })
    const { tokens } = createSubject({ keys, maxCached: 1_000_000 })
    const load = { isOver: false, turns: Array.from({ length: 50 }, () => 0) }
    const loop = async (_: unknown, at: number): Promise<void> => {
      let older = ''
      while (!load.isOver) {
        const { token } = await tokens.issue(grant)
        await tokens.verify(token)
        // Also one of earlier, as long as its key is there.
        if (older !== '' && keys.find(String(decodePart(older, 0)['kid'])) !== undefined) await tokens.verify(older)
        else older = token
        load.turns[at]!++
      }
    }
    const loops = Promise.all(load.turns.map(loop))
    // What the loops hold must be done with before its key goes, as in life its lifetime must be over.
    const settle = async (): Promise<void> => {
      const goals = load.turns.map((turns) => turns + 1)
      while (load.turns.some((turns, at) => turns < goals[at]!)) {
        await Promise.race([new Promise((resolve) => setImmediate(resolve)), loops])
      }
    }
    for (let round = 0; round < 20; round++) {
      const [previous, current, next] = [all[round - 1], all[round]!, all[round + 1]!]
      keys.replace({ keys: [current, next, ...(previous ? [previous] : [])] })
      await settle()
      keys.replace({ keys: [next, current] })
      await settle()
    }
    load.isOver = true
    await loops
    expect(keys.signer.kid).toBe('k20')
  })
})

describe('given a runtime that fails', () => {
  test('when WebCrypto fails, it is a defect and no 401, and the next call is checked anew', async () => {
    const { tokens, judge } = createSubject()
    const { token } = await tokens.issue(grant)
    vi.spyOn(webcrypto.subtle, 'verify').mockRejectedValueOnce(new Error('the engine is gone'))
    const failure = await Promise.resolve(tokens.verify(token)).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(failure).not.toBeInstanceOf(UnauthorizedError)
    expect(await judge(token)).toBe('accepted')
  })

  test('when the key set fails, it is a defect and no 401', () => {
    const keys = createKeySet(keysOfAllKinds)
    keys.find = () => {
      throw new TypeError('a defect')
    }
    expect(() => createSubject({ keys }).tokens.verify(good)).toThrow('a defect')
  })
})

describe('given options out of bounds', () => {
  const keys = createKeySet({ keys: [ed] })
  test.each<[string, object]>([
    ['issuer', { issuer: '' }],
    ['issuer', { issuer: undefined }],
    ['audience', { audience: 7 }],
    ['lifetimeSeconds', { lifetimeSeconds: 59 }],
    ['lifetimeSeconds', { lifetimeSeconds: 3601 }],
    ['lifetimeSeconds', { lifetimeSeconds: 900.5 }],
    ['lifetimeSeconds', { lifetimeSeconds: Number.NaN }],
    ['cacheSeconds', { cacheSeconds: -1 }],
    ['cacheSeconds', { cacheSeconds: '60' }],
    ['maxCached', { maxCached: 0 }],
    ['clockToleranceSeconds', { clockToleranceSeconds: 61 }],
  ])('when %s is wrong, it is named at creation', (name, wrong) => {
    expect(() => createAccessTokens({ issuer, audience, keys, ...wrong })).toThrow(new RegExp(`^${name} is `))
  })
})

function refusalOf(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was refused')
}
