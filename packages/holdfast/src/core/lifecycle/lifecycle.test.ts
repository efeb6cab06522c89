import { describe, expect, test } from 'vitest'
import type { Logger } from '../../foundation/logger.ts'
import { createManualClock, type ManualClock } from '../../testing/manual-clock.ts'
import { createLifecycle, type Drainable, type Lifecycle, type LifecycleOptions } from './lifecycle.ts'
import { createRecordingLogger, type RecordingLogger } from '../../testing/recording-logger.ts'

interface Bench {
  readonly clock: ManualClock
  readonly logger: RecordingLogger
  readonly lifecycle: Lifecycle
  readonly order: string[]
  /** A server that notes what happens to it; its calls in flight end when `finish` is called. */
  readonly server: (name?: string) => Drainable & { finish(): void }
}

function bench(options: Partial<LifecycleOptions> = {}): Bench {
  const clock = createManualClock()
  const logger = createRecordingLogger()
  const order: string[] = []
  const timings = { drainDelayMs: 5000, stopTimeoutMs: 10_000, disposeTimeoutMs: 4000 }
  const lifecycle = createLifecycle({ logger, clock, ...timings, ...options })
  const server: Bench['server'] = (name = 'server') => {
    const finished = Promise.withResolvers<void>()
    const note = (what: string): void => void order.push(`${name} ${what} at ${clock.elapsed()}`)
    return {
      beginDrain: () => note(`drains while ${lifecycle.state()}`),
      stop: () => {
        note('stops')
        return finished.promise
      },
      destroy: () => note('is destroyed'),
      finish: () => finished.resolve(),
    }
  }
  return { clock, logger, lifecycle, order, server }
}

const sigterm = { kind: 'asked', by: 'SIGTERM' } as const

describe('given a service that is ready', () => {
  test('when asked to stop, it drains, waits for calls in flight, disposes in reverse, and the code is 0', async () => {
    const { clock, lifecycle, order, server } = bench()
    const http = server()
    const code = lifecycle.run(({ use, serve }) => {
      use('pool', (pool) => order.push(`${pool} disposed at ${clock.elapsed()}`))
      use('cache', async (cache) => order.push(`${cache} disposed at ${clock.elapsed()}`))
      serve(http)
    })
    await clock.advanceAsync(100)
    expect(lifecycle.state()).toBe('ready')

    lifecycle.stop(sigterm)
    expect(lifecycle.state()).toBe('draining')
    expect(order).toEqual(['server drains while draining at 100'])
    await clock.advanceAsync(4999)
    expect(order).toHaveLength(1)
    await clock.advanceAsync(3000)
    expect(order.at(-1)).toBe('server stops at 5100')
    http.finish()
    expect(await code).toBe(0)
    expect(order.slice(2)).toEqual(['cache disposed at 8099', 'pool disposed at 8099'])
    expect(lifecycle.state()).toBe('stopped')
    expect(clock.pending).toBe(0)
  })

  test('when calls in flight take too long, they are cut, disposers still run, and the code is 1', async () => {
    const { clock, lifecycle, order, server, logger } = bench()
    const code = lifecycle.run(({ use, serve }) => {
      use('pool', () => order.push('pool disposed'))
      serve(server())
    })
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    await clock.advanceAsync(14_999)
    expect(order.at(-1)).toBe('server stops at 5000')
    await clock.advanceAsync(1)
    expect(await code).toBe(1)
    expect(order.slice(2)).toEqual(['server is destroyed at 15000', 'pool disposed'])
    expect(logger.lines.map(({ message }) => message)).toContain('Calls in flight took too long and are cut')
  })

  test('when several servers stop, they do so together and one that fails does not hold up the others', async () => {
    const { clock, lifecycle, order, server } = bench({ drainDelayMs: 0 })
    const good = server('good')
    const bad: Drainable = {
      beginDrain() {
        throw new Error('cannot announce')
      },
      stop() {
        throw new Error('cannot stop')
      },
      destroy() {
        order.push('bad is destroyed')
        throw new Error('cannot even that')
      },
    }
    const code = lifecycle.run(({ serve }) => void [serve(bad), serve(good)])
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    good.finish()
    await clock.advanceAsync(0)
    expect(await code).toBe(1)
    expect(order).toEqual(['good drains while draining at 0', 'good stops at 0', 'bad is destroyed'])
  })

  test('when there is no server, it does not wait for balancers', async () => {
    const { clock, lifecycle } = bench()
    const code = lifecycle.run(() => {})
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    expect(await code).toBe(0)
    expect(clock.elapsed()).toBe(0)
  })

  test('when asked several times, it ends once', async () => {
    const { clock, lifecycle, order, server } = bench()
    const http = server()
    const code = lifecycle.run(({ serve }) => serve(http))
    await clock.advanceAsync(0)
    for (let n = 0; n < 3; n++) lifecycle.stop(sigterm)
    http.finish()
    await clock.advanceAsync(5000)
    expect(await code).toBe(0)
    lifecycle.stop(sigterm)
    expect(order).toEqual(['server drains while draining at 0', 'server stops at 5000'])
    expect(lifecycle.state()).toBe('stopped')
  })
})

describe('given disposers that misbehave', () => {
  test('when some throw, reject or hang, all have their turn within the bound, and the code is 1', async () => {
    const { clock, lifecycle, order, logger } = bench()
    const code = lifecycle.run(({ use }) => {
      use('a', () => order.push(`a at ${clock.elapsed()}`))
      use('b', () => new Promise(() => {}), 'b, which hangs')
      use('c', () => Promise.reject(new Error('c')))
      use('d', () => new Promise(() => {}))
      use('e', () => {
        throw new Error('e')
      })
    })
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    await clock.advanceAsync(4000)
    expect(await code).toBe(1)
    // 4000 ms: d gets a quarter of them, b half of what is left.
    expect(order).toEqual(['a at 2500'])
    expect(logger.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields['resource'])).toEqual([
      'resource 5',
      'resource 4',
      'resource 3',
      'b, which hangs',
    ])
  })

  test('when the only one hangs, the end comes at the bound', async () => {
    const { clock, lifecycle } = bench()
    const code = lifecycle.run(({ use }) => use('x', () => new Promise(() => {})))
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    await clock.advanceAsync(4000)
    expect(await code).toBe(1)
  })

  test('when the logger throws at every line, the end is the same', async () => {
    const refuse = (): never => {
      throw new Error('disk full')
    }
    const logger: Logger = { ...createRecordingLogger(), info: refuse, warn: refuse, error: refuse, fatal: refuse }
    const { clock, lifecycle, order, server } = bench({ logger, drainDelayMs: 0 })
    const http = server()
    const code = lifecycle.run(({ use, serve }) => {
      use('pool', () => order.push('pool disposed'))
      serve(http)
    })
    await clock.advanceAsync(0)
    lifecycle.stop({ kind: 'defect', error: new Error('x'), origin: 'uncaughtException' })
    await clock.advanceAsync(10_000)
    expect(await code).toBe(1)
    expect(order.at(-1)).toBe('pool disposed')
  })
})

describe('given an error that nothing caught', () => {
  test.each<[string, unknown]>([
    ['an error', new Error('boom')],
    ['null', null],
    ['undefined', undefined],
    ['a text', 'boom'],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          get() {
            throw new Error('hands off')
          },
        },
      ),
    ],
  ])('when it is %s, it is logged whole and once, the service drains, and the code is 1', async (_name, error) => {
    const { clock, lifecycle, order, logger, server } = bench()
    const http = server()
    const code = lifecycle.run(({ serve }) => serve(http))
    await clock.advanceAsync(0)
    lifecycle.stop({ kind: 'defect', error, origin: 'unhandledRejection' })
    http.finish()
    await clock.advanceAsync(5000)
    expect(await code).toBe(1)
    expect(order).toEqual(['server drains while draining at 0', 'server stops at 5000'])
    const fatal = logger.lines.filter(({ level }) => level === 'fatal')
    expect(fatal).toHaveLength(1)
    expect(fatal[0]?.fields['err']).toBe(error)
  })

  test('when it comes again while draining, it is one line; another one gets its own', async () => {
    const { clock, lifecycle, logger } = bench()
    const code = lifecycle.run(() => {})
    await clock.advanceAsync(0)
    const error = new Error('boom')
    for (const thrown of [error, error, new Error('other')]) {
      lifecycle.stop({ kind: 'defect', error: thrown, origin: 'uncaughtException' })
    }
    expect(await code).toBe(1)
    expect(logger.lines.filter(({ level }) => level === 'fatal')).toHaveLength(2)
  })

  test('when it comes during an orderly end, the code is 1 all the same', async () => {
    const { clock, lifecycle, server } = bench()
    const http = server()
    const code = lifecycle.run(({ serve }) => serve(http))
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    lifecycle.stop({ kind: 'defect', error: new Error('late'), origin: 'uncaughtException' })
    http.finish()
    await clock.advanceAsync(5000)
    expect(await code).toBe(1)
  })
})

describe('given a start that is under way', () => {
  test('when asked to stop, its signal aborts, what it built is disposed in reverse, and the code is 0', async () => {
    const { clock, lifecycle, order, server } = bench()
    const http = server()
    http.finish()
    const code = lifecycle.run(async ({ use, serve, signal }) => {
      use('pool', () => order.push('pool disposed'))
      serve(http)
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
      order.push('went on')
    })
    await clock.advanceAsync(0)
    expect(lifecycle.state()).toBe('starting')
    lifecycle.stop(sigterm)
    expect(await code).toBe(0)
    expect(order).toEqual(['server drains while draining at 0', 'server stops at 0', 'pool disposed'])
  })

  test('when it takes up another resource after that, the start ends there and the resource is disposed', async () => {
    const { clock, lifecycle, order } = bench()
    const connected = Promise.withResolvers<string>()
    const code = lifecycle.run(async ({ use }) => {
      use(await connected.promise, (pool) => order.push(`${pool} disposed`))
      order.push('went on')
    })
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    connected.resolve('pool')
    expect(await code).toBe(0)
    expect(order).toEqual(['pool disposed'])
  })

  test('when it does not heed the signal, it is left behind at the bound, and what comes later is ended at once', async () => {
    const { clock, lifecycle, order, server } = bench()
    const connected = Promise.withResolvers<string>()
    const code = lifecycle.run(async ({ use, serve }) => {
      use('pool', () => order.push('pool disposed'))
      await connected.promise
      try {
        use('late', () => order.push('late disposed'))
      } finally {
        serve(server('late server'))
      }
    })
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    await clock.advanceAsync(10_000)
    expect(await code).toBe(1)
    connected.resolve('x')
    await clock.advanceAsync(0)
    expect(order).toEqual(['pool disposed', 'late server is destroyed at 10000', 'late disposed'])
  })

  test('when it hangs and a server hangs too, both share one bound', async () => {
    const { clock, lifecycle, server } = bench()
    const code = lifecycle.run(({ serve }) => {
      serve(server())
      return new Promise(() => {})
    })
    await clock.advanceAsync(0)
    lifecycle.stop(sigterm)
    await clock.advanceAsync(10_000)
    expect(await code).toBe(1)
  })

  test('when it fails, what it built is disposed, the reason is said, and the code is 1', async () => {
    const { clock, lifecycle, order, logger } = bench()
    const failure = new AggregateError([new Error('connect ECONNREFUSED ::1:5432')])
    const code = lifecycle.run(({ use }) => {
      use('pool', () => order.push('pool disposed'))
      throw failure
    })
    await clock.advanceAsync(0)
    expect(await code).toBe(1)
    expect(order).toEqual(['pool disposed'])
    expect(logger.lines[0]).toEqual({
      level: 'fatal',
      fields: { err: failure },
      message: 'The service could not start: connect ECONNREFUSED ::1:5432',
    })
  })

  test('when it fails with settings errors, the code is theirs and there is no stack', async () => {
    const { lifecycle, logger } = bench()
    const wrongSettings = Object.assign(new Error('PORT is missing'), { exitCode: 78 })
    expect(await lifecycle.run(() => Promise.reject(wrongSettings))).toBe(78)
    expect(logger.lines[0]).toMatchObject({ fields: {}, message: 'The service could not start: PORT is missing' })
  })

  test.each<[string, unknown]>([
    ['null', null],
    ['an exit code that lies', { exitCode: 0 }],
    ['an exit code beyond a byte', { exitCode: 4096 }],
    [
      'a getter that throws',
      {
        get exitCode() {
          throw new Error('hands off')
        },
        get message() {
          throw new Error('hands off')
        },
      },
    ],
  ])('when it fails with %s, the code is 1', async (_name, thrown) => {
    const { lifecycle } = bench()
    const code = await lifecycle.run(() => {
      throw thrown
    })
    expect(code).toBe(1)
  })

  test('when an error that nothing caught comes, the start is aborted and the code is 1', async () => {
    const { clock, lifecycle } = bench()
    const code = lifecycle.run(({ signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)))
    await clock.advanceAsync(0)
    lifecycle.stop({ kind: 'defect', error: new Error('x'), origin: 'uncaughtException' })
    expect(await code).toBe(1)
  })
})

test.each([-1, Number.NaN, Infinity, 2 ** 31, '5' as unknown as number])(
  'given a duration of %s, when a lifecycle is made, it is refused',
  (drainDelayMs) => {
    expect(() => createLifecycle({ logger: createRecordingLogger(), drainDelayMs })).toThrow(RangeError)
  },
)
