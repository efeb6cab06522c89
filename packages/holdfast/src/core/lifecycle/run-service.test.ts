import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../foundation/clock.ts'
import { createManualClock } from '../../testing/manual-clock.ts'
import { createRecordingLogger } from '../../testing/recording-logger.ts'
import { runService, type ServiceOptions } from './run-service.ts'
import type { ProcessPort, StopSignal } from './signals.ts'

interface StandIn extends ProcessPort {
  readonly events: string[]
  signal(name: StopSignal): void
}

function standIn(): StandIn {
  const events: string[] = []
  let onSignal: (signal: StopSignal) => void = () => {}
  return {
    events,
    onSignal: (listener) => void (onSignal = listener),
    onDefect: () => {},
    keepAlive: () => {},
    printError: (text) => void events.push(`prints ${text}`),
    exit: (code) => void events.push(`exit ${code}`),
    exitWithStuckOutput: (code) => void events.push(`forced exit ${code}`),
    signal: (name) => onSignal(name),
  }
}

const timings = { drainDelayMs: 5000, stopTimeoutMs: 10_000, disposeTimeoutMs: 4000 }

describe('given a service in a stand-in process', () => {
  const stuckServer = { beginDrain() {}, stop: () => new Promise<void>(() => {}), destroy() {} }
  const serviceWith = (options: Partial<ServiceOptions> = {}): ServiceOptions => ({
    logger: createRecordingLogger(),
    ...timings,
    start: ({ serve }) => serve(stuckServer),
    ...options,
  })

  test('when a second signal comes within 50 ms, it is the same keystroke; after that it means now', async () => {
    const process = standIn()
    const clock = createManualClock()
    void runService(serviceWith(), { process, clock })
    await clock.advanceAsync(0)
    process.signal('SIGINT')
    process.signal('SIGINT')
    await clock.advanceAsync(50)
    process.signal('SIGINT')
    await clock.advanceAsync(0)
    expect(process.events).toEqual([])
    await clock.advanceAsync(1)
    process.signal('SIGINT')
    await clock.advanceAsync(0)
    expect(process.events).toEqual(['exit 130'])
  })

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('when %s is the impatient one, the code is %i and the exit is one', async (signal, code) => {
    const process = standIn()
    const clock = createManualClock()
    void runService(serviceWith(), { process, clock })
    await clock.advanceAsync(0)
    process.signal('SIGTERM')
    await clock.advanceAsync(1000)
    for (let n = 0; n < 3; n++) process.signal(signal)
    await clock.advanceAsync(60_000)
    expect(process.events).toEqual([`exit ${code}`])
  })

  test('when the log cannot be flushed, it leaves by force after a second', async () => {
    const process = standIn()
    const clock = createManualClock()
    const logger = createRecordingLogger(() => new Promise(() => {}))
    void runService(serviceWith({ logger, start: () => {} }), { process, clock })
    await clock.advanceAsync(0)
    process.signal('SIGTERM')
    await clock.advanceAsync(999)
    expect(process.events).toEqual([])
    await clock.advanceAsync(1)
    expect(process.events).toEqual(['forced exit 0'])
  })

  test('when flushing the log fails, it exits all the same', async () => {
    const process = standIn()
    const logger = createRecordingLogger(() => {
      throw new Error('disk full')
    })
    const code = runService(serviceWith({ logger, start: () => Promise.reject(new Error('x')) }), { process })
    expect(await code).toBe(1)
    expect(process.events).toEqual(['exit 1'])
  })

  test('when every other bound fails, the hard timer ends it', async () => {
    const process = standIn()
    const manual = createManualClock()
    // Loses all timers but the longest, as a defect of ours would.
    const clock: Clock = {
      ...manual,
      schedule: (ms, callback) => (ms > 10_000 ? manual.schedule(ms, callback) : { cancel: () => {} }),
    }
    void runService(serviceWith(), { process, clock })
    await manual.advanceAsync(0)
    process.signal('SIGTERM')
    await manual.advanceAsync(20_999)
    expect(process.events).toEqual([])
    await manual.advanceAsync(1)
    expect(process.events).toEqual(['exit 1'])
  })

  test.each<[string, () => ServiceOptions, number, string]>([
    [
      'wrong settings',
      () => {
        throw Object.assign(new Error('PORT is missing'), { exitCode: 78, stack: 'a stack' })
      },
      78,
      'PORT is missing',
    ],
    [
      'anything',
      () => {
        // oxlint-disable-next-line typescript/only-throw-error -- libraries throw anything
        throw null
      },
      1,
      'null',
    ],
    ['a wrong duration', () => serviceWith({ drainDelayMs: -5 }), 1, 'drainDelayMs'],
  ])(
    'when it cannot even be described because of %s, that is printed and the code says it',
    async (_n, give, code, text) => {
      const process = standIn()
      expect(await runService(give, { process })).toBe(code)
      expect(process.events[0]).toContain(`prints The service could not start: `)
      expect(process.events[0]).toContain(text)
      expect(process.events.at(-1)).toBe(`exit ${code}`)
      expect(process.events.join().includes('a stack')).toBe(false)
    },
  )
})

describe('given a service in a real process', () => {
  const child = fileURLToPath(new URL('service.test.child.ts', import.meta.url))
  const started: ChildProcess[] = []
  afterEach(() => {
    for (const service of started.splice(0)) {
      if (service.exitCode === null && service.signalCode === null) service.kill('SIGKILL')
    }
  })

  async function launch(scenario: string) {
    const service = spawn(process.execPath, [child, scenario], { stdio: ['ignore', 'pipe', 'pipe'] })
    started.push(service)
    let output = ''
    service.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    service.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const closed = once(service, 'close') as Promise<[number | null, string | null]>
    const said = async (text: string): Promise<void> => {
      while (!output.includes(text))
        await Promise.race([once(service.stdout, 'data'), closed.then(() => expect.fail(output))])
    }
    const url = async (path: string): Promise<string> => {
      await said('log: The service is ready')
      return `http://127.0.0.1:${/port: (\d+)/.exec(output)?.[1]}${path}`
    }
    return { service, said, url, closed, output: () => output }
  }

  test('when SIGTERM comes during a call, the call ends, new ones are served meanwhile, and the code is 0', async () => {
    const { service, said, url, closed, output } = await launch('http')
    const readyz = await url('/readyz')
    expect((await fetch(readyz)).status).toBe(200)
    const slow = fetch(await url('/slow'))
    await said('slow call arrived')
    service.kill('SIGTERM')
    await said('log: The service stops')
    const probe = await fetch(readyz)
    expect([probe.status, probe.headers.get('connection')]).toEqual([503, 'close'])
    expect(await (await fetch(await url('/'))).text()).toBe('hello')
    expect(await (await slow).text()).toBe('done')
    expect(await closed).toEqual([0, null])
    expect(output()).toMatch(/cache disposed\npool disposed\nlog: The service has stopped\n$/)
  })

  test('when a call never ends, it is cut at the bound, all is disposed, and the code is 1', async () => {
    const { service, url, closed, output } = await launch('http')
    const never = fetch(await url('/never')).catch(() => 'cut')
    await fetch(await url('/'))
    service.kill('SIGTERM')
    expect(await never).toBe('cut')
    expect(await closed).toEqual([1, null])
    expect(output()).toContain('pool disposed')
  })

  test('when a second signal comes, it exits at once with 128 + its number', async () => {
    const { service, url, said, closed, output } = await launch('http')
    const never = fetch(await url('/never')).catch(() => 'cut')
    service.kill('SIGTERM')
    await said('log: The service stops')
    // Past the 50 ms in which a signal counts as the same keystroke.
    const impatience = setInterval(() => service.kill('SIGINT'), 60)
    expect(await closed).toEqual([130, null])
    clearInterval(impatience)
    expect(await never).toBe('cut')
    expect(output()).not.toContain('disposed')
  })

  test('when one Ctrl-C arrives twice, as it does under npm, it still ends in order', async () => {
    const { service, url, closed, output } = await launch('http')
    await url('/')
    service.kill('SIGINT')
    service.kill('SIGTERM')
    service.kill('SIGINT')
    expect(await closed).toEqual([0, null])
    expect(output()).toContain('pool disposed')
  })

  test.each(['/throw', '/reject'])(
    'when an error escapes (%s), it is logged once, calls end, and the code is 1',
    async (path) => {
      const { said, url, closed, output } = await launch('http')
      const slow = fetch(await url('/slow'))
      await said('slow call arrived')
      await fetch(await url(path))
      expect(await (await slow).text()).toBe('done')
      expect(await closed).toEqual([1, null])
      expect(output().match(/\(boom\)/g)).toHaveLength(1)
      expect(output()).toContain('pool disposed')
    },
  )

  test('when SIGTERM comes during the start, what was built is disposed and the code is 0', async () => {
    const { service, said, closed, output } = await launch('slow-start')
    await said('started')
    service.kill('SIGTERM')
    expect(await closed).toEqual([0, null])
    expect(output()).toContain('pool disposed')
    expect(output()).not.toContain('The service is ready')
  })

  test('when the start fails, it says so, disposes, and the code is 1', async () => {
    const { closed, output } = await launch('failing-start')
    expect(await closed).toEqual([1, null])
    expect(output()).toContain('The service could not start: connect ECONNREFUSED 127.0.0.1:5432')
    expect(output()).toContain('pool disposed')
  })

  test('when settings are wrong, stderr says so without a stack and the code is 78', async () => {
    const { closed, output } = await launch('wrong-settings')
    expect(await closed).toEqual([78, null])
    expect(output()).toBe('The service could not start: PORT is missing: set it\n')
  })

  test('when it has no server, it stays until it is told to go', async () => {
    const { service, said, closed } = await launch('worker')
    await said('ready')
    await new Promise((resolve) => void setTimeout(resolve, 150))
    expect(service.exitCode).toBe(null)
    service.kill('SIGTERM')
    expect(await closed).toEqual([0, null])
  })

  test('when a disposer hangs, the others run and the code is 1', async () => {
    const { service, said, closed, output } = await launch('stuck-disposer')
    await said('ready')
    service.kill('SIGTERM')
    expect(await closed).toEqual([1, null])
    expect(output()).toContain('first disposed')
  })

  test('when the log never flushes but nothing is stuck, the code is kept', async () => {
    const { service, url, closed } = await launch('stuck-flush')
    await url('/')
    service.kill('SIGTERM')
    expect(await closed).toEqual([0, null])
  })
})
