import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { Secret } from '../../core/config/secret.ts'
import type { Logger } from '../../foundation/logger.ts'
import { createLogger, type LoggerOptions } from './logger.ts'
import { createPrettifier } from './pretty.ts'

type Line = Record<string, unknown>

function recording(options: LoggerOptions = {}): {
  logger: Logger
  text: () => string
  lines: () => Line[]
  last: () => Line
} {
  const written: string[] = []
  const logger = createLogger({ level: 'trace', destination: { write: (line) => written.push(line) }, ...options })
  const lines = (): Line[] => written.map((line) => JSON.parse(line) as Line)
  return { logger, text: () => written.join(''), lines, last: () => lines().at(-1) ?? {} }
}

const canary = 'canary-2c9d-never-in-a-log'

describe('given a JSON logger', () => {
  test('when it logs, the line is one JSON object with level, time, message and fields', () => {
    const { logger, text, last } = recording({ fields: { service: 'shop' } })
    logger.info({ status: 200, nested: { deep: [1, 'two', null, true] } }, 'answered')
    expect(last()).toMatchObject({ level: 'info', msg: 'answered', service: 'shop', status: 200 })
    expect(last()['nested']).toEqual({ deep: [1, 'two', null, true] })
    expect(new Date(String(last()['time'])).getTime()).toBeGreaterThan(0)
    expect(text()).toMatch(/^[^\n]+\n$/)
  })

  test('when a child logs, its fields are on each of its lines', () => {
    const { logger, last } = recording()
    logger.child({ requestId: 'r1' }).child({ user: 7 }).warn({ a: 1 }, 'hm')
    expect(last()).toMatchObject({ requestId: 'r1', user: 7, a: 1, level: 'warn' })
  })

  test('when the level is higher, lower lines are neither written nor looked at', () => {
    const { logger, lines } = recording({ level: 'warn' })
    const fields = {
      get costly(): string {
        throw new Error('was read')
      },
    }
    logger.info(fields, 'no')
    logger.child({ a: 1 }).debug(fields, 'no')
    logger.error({}, 'yes')
    expect(lines()).toHaveLength(1)
  })

  test('when texts hold control characters, no line can be forged and no terminal steered', () => {
    const { logger, text } = recording()
    const forged = 'x\n{"level":"fatal"}\r\u001b[2J\u009b2J\u2028\u0000\ud800'
    logger.info({ name: forged, [forged]: 1, nested: { [forged]: forged } }, forged)
    expect(text().match(/\n/g)).toHaveLength(1)
    // oxlint-disable-next-line no-control-regex -- control characters are the subject
    expect(text().trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028]/)
    expect(JSON.parse(text())).toMatchObject({ level: 'info' })
  })

  test('when fields are named like those of the log, they cannot replace them', () => {
    const { logger, text, last } = recording()
    const fields = JSON.parse(
      '{"level":"fatal","time":1,"msg":"forged","pid":1,"hostname":"h","__proto__":{"a":1},"hasOwnProperty":1}',
    )
    logger.child(fields).info(fields, 'true')
    expect(last()).toMatchObject({ level: 'info', msg: 'true', level_: 'fatal', msg_: 'forged', time_: 1 })
    expect(text().match(/"level":/g)).toHaveLength(1)
  })

  test('when fields look like a request, they are written like any others', () => {
    const { logger, last } = recording()
    logger.info({ method: 'GET', headers: { a: 'b' }, socket: { c: 1 }, setHeader: () => {} }, 'm')
    expect(last()).toMatchObject({ method: 'GET', headers: { a: 'b' } })
  })

  test('when the message holds format marks, they stay as they are', () => {
    const { logger, last } = recording()
    logger.info({}, '100%s %d %j %%')
    expect(last()['msg']).toBe('100%s %d %j %%')
  })
})

describe('given values that must not be written', () => {
  test.each([
    'password',
    'Password',
    'newPassword',
    'token',
    'access_token',
    'refreshToken',
    'authorization',
    'Authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'Set-Cookie',
    'x-api-key',
    'apiKey',
    'client_secret',
    'secret',
    'rawHeaders',
  ])('when a field is named %s, its value is replaced wherever it stands', (name) => {
    const { logger, text } = recording()
    const holder = { [name]: canary }
    logger.child({ ...holder, a: holder }).error(
      {
        ...holder,
        req: { headers: holder },
        list: [holder],
        map: new Map([[name, canary]]),
        err: Object.assign(new Error('x', { cause: holder }), holder, { config: { headers: holder } }),
      },
      'm',
    )
    expect(text()).toContain('[redacted]')
    expect(text()).not.toContain(canary)
  })

  test('when exact paths are given, their values are replaced and their neighbours kept', () => {
    const { logger, text, last } = recording({
      redact: ['user.email', 'lines[0].card', 'err.detail', 'headers["x-internal"]', 'plain'],
    })
    logger.info(
      {
        user: { email: canary, id: 7 },
        lines: [{ card: canary, sku: 's' }, { card: 'kept' }],
        err: Object.assign(new Error('x'), { detail: canary }),
        headers: { 'x-internal': canary, host: 'h' },
        plain: { deep: canary },
      },
      'm',
    )
    expect(text()).not.toContain(canary)
    expect(last()).toMatchObject({ user: { id: 7 }, lines: [{ sku: 's' }, { card: 'kept' }], headers: { host: 'h' } })
  })

  test.each(['*.password', 'a.*', 'a[*].b', '', '...'])('when a path is %j, it is refused', (path) => {
    expect(() => createLogger({ redact: [path] })).toThrow(TypeError)
  })

  test('when a Secret or an address with a password is logged, it does not show', () => {
    const { logger, text } = recording()
    logger.info(
      {
        url: new Secret(canary),
        deep: { list: [new Secret(canary)] },
        at: new URL(`redis://u:${canary}@h/0`),
        err: new Error('x', { cause: new Secret(canary) }),
      },
      'm',
    )
    expect(text()).toContain('[secret]')
    expect(text()).not.toContain(canary)
  })
})

describe('given hostile values', () => {
  const cycle: Line = { name: 'c' }
  cycle['self'] = cycle
  const revoked = ((): object => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  })()
  const throwing = new Proxy(
    {},
    {
      get() {
        throw new Error('hands off')
      },
      ownKeys() {
        throw new Error('hands off')
      },
      getPrototypeOf() {
        throw new Error('hands off')
      },
    },
  )
  const endless: Line = {}
  Object.defineProperty(endless, 'next', {
    enumerable: true,
    get: () => ({ ...Object.getOwnPropertyDescriptors(endless), next: endless['next'] }),
  })
  const brokenError = new Error('broken')
  for (const key of ['message', 'stack', 'name', 'cause'])
    Object.defineProperty(brokenError, key, {
      get() {
        throw new Error('hands off')
      },
    })
  let causes = new Error('root')
  for (let depth = 0; depth < 10_000; depth++) causes = new Error(`cause ${depth}`, { cause: causes })
  const selfCaused = new Error('self')
  selfCaused.cause = selfCaused
  const toJson = { toJSON: (): unknown => ({ toJSON: toJson.toJSON }) }
  const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown

  test.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['a symbol', Symbol('s')],
    ['a BigInt', 10n ** 30n],
    ['NaN', Number.NaN],
    ['a function', () => {}],
    ['a cycle', cycle],
    ['a revoked proxy', revoked],
    ['a proxy that throws', throwing],
    ['a getter without end', endless],
    ['an error whose fields throw', brokenError],
    ['ten thousand causes', causes],
    ['an error that caused itself', selfCaused],
    ['an aggregate', new AggregateError([new Error('one'), null, throwing], 'many')],
    ['toJSON without end', toJson],
    [
      'toJSON that throws',
      {
        toJSON() {
          throw new Error('no')
        },
      },
    ],
    ['five thousand levels', deep],
    ['a null prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['ten megabytes', 'x'.repeat(10_000_000)],
    ['an error of megabytes', new Error('y'.repeat(5_000_000))],
    ['a hundred thousand fields', Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [`k${n}`, n]))],
    ['a wide tree', Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => ({ a: [1, { b: 2 }] })))],
    [
      'many long names',
      Array.from({ length: 50 }, () =>
        Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`${n}${'k'.repeat(300)}`, n])),
      ),
    ],
    ['bytes', Buffer.alloc(1_000_000)],
    ['an invalid date', new Date(Number.NaN)],
    ['a promise', Promise.resolve(1)],
    ['a map', new Map<unknown, unknown>([[{}, 1]])],
    ['a set', new Set([1, cycle])],
  ])('when %s is logged in any place, it is one bounded line and nobody gets an error', (_name, value) => {
    const { logger, lines, text } = recording()
    logger.error({ err: value, value, list: [value] }, 'a')
    logger.error(value as Line, 'b')
    logger.child({ value }).error({}, 'c')
    logger.child(value as Line).error({}, 'd')
    logger.error({}, value as string)
    expect(lines().map((line) => line['level'])).toEqual(Array(5).fill('error'))
    for (const line of text().split('\n')) expect(line.length).toBeLessThan(600_000)
  })

  test('when an error is logged, its type, text, stack, fields and causes are there', () => {
    const { logger, last } = recording()
    const error = Object.assign(new TypeError('top', { cause: Object.assign(new Error('below'), { code: '57P01' }) }), {
      code: 'E',
      disposalErrors: [new Error('also')],
    })
    logger.error({ err: error }, 'm')
    expect(last()['err']).toMatchObject({
      type: 'TypeError',
      message: 'top',
      stack: expect.stringContaining('logger.test.ts'),
      code: 'E',
      cause: { message: 'below', code: '57P01' },
      disposalErrors: [{ message: 'also' }],
    })
  })

  test('when an aggregate is logged, each of its errors is there', () => {
    const { logger, last } = recording()
    logger.error({ err: new AggregateError([new Error('one'), new Error('two')]) }, 'm')
    expect(last()['err']).toMatchObject({ errors: [{ message: 'one' }, { message: 'two' }] })
  })

  test('when the destination throws, whoever logs does not notice', async () => {
    const logger = createLogger({
      destination: {
        write() {
          throw new Error('full')
        },
      },
    })
    expect(() => logger.info({}, 'm')).not.toThrow()
    await logger.flush()
  })
})

describe('given a destination', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-log-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  test('when it is a file and lines pour in, flush resolves with every one of them written, in order', async () => {
    const path = join(directory, 'pour.log')
    const logger = createLogger({ destination: path })
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 2000; n++) logger.info({ n: round * 2000 + n }, 'x'.repeat(n % 300))
      await logger.flush()
      const numbers = readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as Line)['n'])
      expect(numbers).toEqual(Array.from({ length: (round + 1) * 2000 }, (_, n) => n))
    }
  })

  test('when a short line comes while a long one is on its way, flush waits for both', async () => {
    const path = join(directory, 'behind.log')
    const logger = createLogger({ destination: path })
    await logger.flush()
    for (let n = 1; n <= 20; n++) {
      logger.info({}, 'x'.repeat(8000))
      logger.info({}, 'short')
      await logger.flush()
      expect(readFileSync(path, 'utf8').match(/"short"/g)).toHaveLength(n)
    }
  })

  test('when nothing was logged, flush resolves at once', async () => {
    await createLogger({ destination: join(directory, 'empty.log') }).flush()
    await recording().logger.flush()
    expect(readFileSync(join(directory, 'empty.log'), 'utf8')).toBe('')
  })

  test('when it is a stream, flush waits until the stream has written', async () => {
    let written = ''
    const slow = new Writable({
      write(chunk, _encoding, done) {
        setImmediate(() => {
          written += String(chunk)
          done()
        })
      },
    })
    const logger = createLogger({ destination: slow })
    for (let n = 0; n < 50; n++) logger.info({ n }, 'm')
    await logger.flush()
    expect(written.trimEnd().split('\n')).toHaveLength(50)
  })

  test.each(['loud', '', 'toString'])('when the level is %j, it is refused', (level) => {
    expect(() => createLogger({ level: level as 'info' })).toThrow(/level is one of/)
  })

  test('when the format is unknown, it is refused', () => {
    expect(() => createLogger({ format: 'xml' as 'json' })).toThrow(/format is one of json, pretty/)
  })
})

describe('given the pretty format', () => {
  test('when it logs, people can read it and terminals are not steered', () => {
    const { logger, text } = recording({ format: 'pretty' })
    logger.error(
      { err: new Error('broken\u001b[2J'), name: 'a\u001b[31m\nINFO: forged' },
      'hello\n\u001b[2JINFO: forged',
    )
    expect(text()).toContain('ERROR')
    expect(text()).toContain('hello\\u000a')
    expect(text()).toContain('logger.test.ts')
    expect(text()).not.toContain('\u001b')
    expect(text()).not.toMatch(/^\s*INFO: forged/m)
  })

  test('when pino-pretty is not installed, the error says what to do', () => {
    const load = (): never => {
      throw Object.assign(new Error('nope'), { code: 'MODULE_NOT_FOUND' })
    }
    expect(() => createPrettifier(false, load)).toThrow(/npm install --save-dev pino-pretty.*'json'/)
  })
})

describe('given a process that ends', () => {
  const loggerUrl = new URL('logger.ts', import.meta.url).href
  const run = promisify(execFile)
  const script = (body: string): string[] => [
    '--input-type=module',
    '-e',
    `import { createLogger } from ${JSON.stringify(loggerUrl)}; const logger = createLogger(); ${body}`,
  ]

  test.each([
    [
      'flushes and calls exit',
      "for (let n = 0; n < 20000; n++) logger.info({ n }, 'm'); await logger.flush(); process.exit(3)",
      3,
    ],
    ['calls exit without flushing', "for (let n = 0; n < 20000; n++) logger.info({ n }, 'm'); process.exit(3)", 3],
    ['comes to its natural end', "for (let n = 0; n < 20000; n++) logger.info({ n }, 'm')", 0],
    [
      'dies of an error',
      "for (let n = 0; n < 20000; n++) logger.info({ n }, 'm'); setImmediate(() => { throw new Error('x') })",
      1,
    ],
  ])('when it %s, every line is out', async (_name, body, code) => {
    const done = await run(process.execPath, script(body), { maxBuffer: 1e8 }).then(
      (output) => ({ ...output, code: 0 }),
      (error: { stdout: string; code: number }) => error,
    )
    expect(done.code).toBe(code)
    expect(done.stdout.trimEnd().split('\n')).toHaveLength(20_000)
  })

  test('when its reader has gone, it lives on', async () => {
    const child = spawn(
      process.execPath,
      script("setInterval(() => logger.info({}, 'x'.repeat(5000)), 1); setTimeout(() => process.exit(7), 300)"),
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    child.stdout.once('data', () => child.stdout.destroy())
    expect((await once(child, 'exit'))[0]).toBe(7)
  })

  test('when nobody reads its log, the service still ends', async () => {
    const lifecycle = fileURLToPath(new URL('../../core/lifecycle/run-service.ts', import.meta.url))
    const body = `
      const { runService } = await import(${JSON.stringify(lifecycle)})
      await runService({ logger, drainDelayMs: 0, stopTimeoutMs: 50, disposeTimeoutMs: 50, start: () => {
        for (let n = 0; n < 2000; n++) logger.info({ n }, 'x'.repeat(1000))
        process.stderr.write('ready')
      } })`
    const child = spawn(process.execPath, script(body), { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.pause()
    await once(child.stderr, 'data')
    const askedAt = performance.now()
    child.kill('SIGTERM')
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    expect(performance.now() - askedAt).toBeLessThan(4000)
    expect([code, signal]).toEqual([null, 'SIGKILL'])
  })
})
