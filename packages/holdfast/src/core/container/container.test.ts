import { describe, expect, test } from 'vitest'
import { createManualClock } from '../../testing/manual-clock.ts'
import { ContainerError } from './container-error.ts'
import { createContainer, type ServicesOf } from './container.ts'

/** A container as seen from JavaScript, where the compiler stops nobody. */
interface Unchecked {
  singleton(name: unknown, factory: unknown, options?: unknown): Unchecked
  scoped(name: unknown, factory: unknown, options?: unknown): Unchecked
  override(name: unknown, factory: unknown): Unchecked
  start(): Promise<Record<string, unknown>>
}
const unchecked = (): Unchecked => createContainer()
type AnyNeeds = Record<string, unknown>

const failureOf = async (attempt: () => unknown): Promise<Error> => {
  try {
    await attempt()
  } catch (error) {
    return error as Error
  }
  throw new Error('It went well')
}

describe('given a container of singletons', () => {
  test('when started, factories run in order of registration and are awaited', async () => {
    const order: string[] = []
    const services = await createContainer()
      .singleton('config', async () => {
        await Promise.resolve()
        order.push('config')
        return { url: 'postgres://' }
      })
      .singleton('pool', ({ config }) => {
        order.push('pool')
        return { to: config.url }
      })
      .start()
    expect(order).toEqual(['config', 'pool'])
    const to: string = services.pool.to
    expect(to).toBe('postgres://')
    expect({ ...services }).toEqual({ config: { url: 'postgres://' }, pool: { to: 'postgres://' } })
    await services.dispose()
  })

  test('when a need is not used, its getter is not touched', async () => {
    const services = await unchecked()
      .singleton('a', () => 1)
      .singleton('b', (needs: AnyNeeds) => typeof needs)
      .start()
    expect(services['b']).toBe('object')
  })

  test('when a need is registered later and synchronous, it is built on demand, once', async () => {
    let built = 0
    const services = await unchecked()
      .singleton('a', ({ b }: AnyNeeds) => `a with ${String(b)}`)
      .singleton('b', () => `b${++built}`)
      .start()
    expect(services['a']).toBe('a with b1')
    expect(services['b']).toBe('b1')
  })

  test('when a need is registered later and asynchronous, the error says to register it before', async () => {
    const disposed: unknown[] = []
    const error = await failureOf(() =>
      unchecked()
        .singleton('a', ({ b }: AnyNeeds) => b)
        .singleton('b', async () => 'late', { dispose: (value: unknown) => disposed.push(value) })
        .start(),
    )
    expect(error.message).toBe('a → b: "b" is built asynchronously and registered after "a"; register it before')
    expect(disposed).toEqual(['late'])
  })

  test('when a factory catches the failure of a need, the start still fails and nothing is built twice', async () => {
    let built = 0
    const error = await failureOf(() =>
      unchecked()
        .singleton('a', (needs: AnyNeeds) => {
          try {
            return needs['b']
          } catch {
            return 'without b'
          }
        })
        .singleton('b', () => {
          built++
          throw new Error('b is broken')
        })
        .start(),
    )
    expect(error.message).toBe('b is broken')
    expect(built).toBe(1)
  })

  test('when an asynchronous factory reads a need after waiting, it gets it', async () => {
    const services = await createContainer()
      .singleton('config', () => 'c')
      .singleton('late', async (needs) => {
        await Promise.resolve()
        return needs.config + '!'
      })
      .start()
    expect(services.late).toBe('c!')
  })

  test('when a factory spreads its needs, it gets what was registered before', async () => {
    const services = await createContainer()
      .singleton('a', () => 1)
      .singleton('b', () => 2)
      .singleton('rest', ({ a, ...others }) => ({ a, others: { ...others } }))
      .singleton('c', () => 3)
      .start()
    expect(services.rest).toEqual({ a: 1, others: { b: 2 } })
  })

  test('when a factory is async and returns its needs, promises do not stumble over them', async () => {
    const services = await createContainer()
      .singleton('a', () => 1)
      .singleton('all', async (needs) => needs)
      .start()
    expect(services.all.a).toBe(1)
  })

  test('when started twice, the two have nothing in common', async () => {
    const container = createContainer().singleton('box', () => ({ content: 0 }))
    const [one, two] = await Promise.all([container.start(), container.start()])
    expect(one.box).not.toBe(two.box)
    await one.dispose()
    expect(two.box.content).toBe(0)
  })

  test('when the signal aborts between factories, what was built is disposed and the reason thrown', async () => {
    const disposed: string[] = []
    const stop = new AbortController()
    const reason = new Error('stop it')
    const error = await failureOf(() =>
      createContainer()
        .singleton('a', () => 'a', { dispose: (value) => disposed.push(value) })
        .singleton('b', async () => stop.abort(reason), { dispose: () => disposed.push('b') })
        .singleton('c', () => expect.fail('was built'))
        .start({ signal: stop.signal }),
    )
    expect(error).toBe(reason)
    expect(disposed).toEqual(['b', 'a'])
  })
})

describe('given wrong wiring', () => {
  test('when needs go in a circle, the error prints it', async () => {
    const error = await failureOf(() =>
      unchecked()
        .singleton('a', ({ b }: AnyNeeds) => b)
        .singleton('b', ({ a }: AnyNeeds) => a)
        .start(),
    )
    expect(error).toBeInstanceOf(ContainerError)
    expect(error.message).toMatch(/^a → b → a: /)
    expect((error as ContainerError).path).toEqual(['a', 'b', 'a'])
  })

  test('when something needs itself, the error prints it', async () => {
    const error = await failureOf(() =>
      unchecked()
        .singleton('a', ({ a }: AnyNeeds) => a)
        .start(),
    )
    expect(error.message).toMatch(/^a → a: /)
  })

  test('when an override closes the circle, the error prints it', async () => {
    const error = await failureOf(() =>
      createContainer()
        .singleton('clock', () => 1)
        .singleton('tokens', ({ clock }) => clock)
        .singleton('users', ({ tokens }) => tokens)
        .override('clock', ({ users }) => users)
        .start(),
    )
    expect(error.message).toMatch(/^clock → users → tokens → clock: /)
  })

  test('when a finished part reaches back for the one being built, the error prints the circle', async () => {
    const error = await failureOf(() =>
      unchecked()
        .singleton('lazy', (needs: AnyNeeds) => ({ late: () => needs['b'] }))
        .singleton('b', ({ lazy }: { lazy: { late(): unknown } }) => lazy.late())
        .start(),
    )
    expect(error.message).toMatch(/^b → lazy → b: /)
  })

  test('when a need is missing, the error prints the way to it', async () => {
    const error = await failureOf(() =>
      unchecked()
        .singleton('orders', ({ repository }: AnyNeeds) => repository)
        .singleton('repository', ({ pol }: AnyNeeds) => pol)
        .start(),
    )
    expect(error.message).toBe('orders → repository → pol: nothing is registered as "pol"; register it first')
  })

  test('when a singleton needs something scoped, the error says why that cannot be', async () => {
    const error = await failureOf(() =>
      createContainer()
        .singleton('pool', () => 1)
        .scoped('unit', () => 2)
        // @ts-expect-error -- a singleton sees no scoped needs
        .singleton('cache', ({ unit }) => unit as unknown)
        .start(),
    )
    expect(error.message).toMatch(/^cache → unit: a singleton cannot need the scoped "unit"/)
  })

  test('when a singleton reaches something scoped through a leaked scope, it is still refused', async () => {
    const services = await unchecked()
      .singleton('lazy', (needs: AnyNeeds) => ({ late: () => needs['unit'] }))
      .scoped('unit', ({ lazy }: { lazy: { late(): unknown } }) => lazy.late())
      .start()
    const scope = (services['createScope'] as () => AnyNeeds)()
    expect(() => scope['unit']).toThrow(/lazy → unit: a singleton cannot need/)
  })

  test('when a name is taken, it is refused by compiler and runtime', () => {
    const container = createContainer().singleton('a', () => 1)
    // @ts-expect-error -- "a" is already registered
    expect(() => container.singleton('a', () => 2)).toThrow('"a" is already registered')
    // @ts-expect-error -- "a" is already registered, as a singleton
    expect(() => container.scoped('a', () => 2)).toThrow(ContainerError)
  })

  test.each(['then', 'toJSON', 'constructor', 'prototype', '__proto__', 'scope', 'createScope', 'dispose', 'toString'])(
    'when a name is %s, it is refused as reserved',
    (name) => {
      expect(() => unchecked().singleton(name, () => 1)).toThrow(`"${name}" is a reserved name`)
      expect(() => unchecked().scoped(name, () => 1)).toThrow(ContainerError)
      // @ts-expect-error -- "then" is a reserved name
      expect(() => createContainer().singleton('then', () => 1)).toThrow(ContainerError)
    },
  )

  test.each<[string, unknown, unknown, unknown, string]>([
    ['no name', '', (): number => 1, undefined, 'A need has a name'],
    ['a symbol as name', Symbol('a'), (): number => 1, undefined, 'A need has a name'],
    ['no factory', 'a', 5, undefined, '"a" needs a factory function, not number'],
    ['no function to dispose', 'a', (): number => 1, { dispose: 5 }, 'dispose of "a" is a function'],
    ['a NaN bound', 'a', (): number => 1, { disposeTimeoutMs: Number.NaN }, 'milliseconds ≥ 0, not NaN'],
  ])('when there is %s, the registration is refused', (_name, name, factory, options, message) => {
    expect(() => unchecked().singleton(name, factory, options)).toThrow(message)
  })

  test('when an override names nothing, it is refused by compiler and runtime', () => {
    // @ts-expect-error -- nothing is registered as "clock"
    expect(() => createContainer().override('clock', () => 1)).toThrow('Nothing is registered as "clock"')
  })
})

describe('given an override', () => {
  const container = createContainer()
    .singleton('clock', () => ({ now: (): number => 1 }), { dispose: () => expect.fail('the replaced disposer ran') })
    .singleton('stamp', ({ clock }) => clock.now())
    .scoped('unit', ({ stamp }) => stamp + 1)

  test('when started, everything built after uses it', async () => {
    const services = await container.override('clock', async () => ({ now: () => 40 })).start()
    expect(services.stamp).toBe(40)
    await services.dispose()
  })

  test('when it replaces something scoped, scopes use it', async () => {
    const services = await container.override('unit', ({ stamp }) => stamp + 100).start()
    expect(services.createScope().unit).toBe(101)
  })

  test('when made, the container it came from is unchanged', async () => {
    container.override('clock', () => ({ now: () => 40 }))
    expect((await container.start()).stamp).toBe(1)
  })

  test('when its type differs, it does not compile', () => {
    // @ts-expect-error -- a clock has now(): number
    container.override('clock', () => ({ now: () => 'noon' }))
    // @ts-expect-error -- unit is a number
    container.override('unit', () => 'one')
    expect(container).toBeDefined()
  })
})

describe('given services that started', () => {
  const recorded = async (order: string[]) =>
    createContainer()
      .singleton('first', () => 'first', { dispose: (value) => order.push(value) })
      .singleton('second', async () => 'second', { dispose: async (value) => order.push(value) })
      .singleton('third', () => 'third', { dispose: (value) => order.push(value) })
      .start()

  test('when disposed, it goes in reverse order of construction', async () => {
    const order: string[] = []
    await (await recorded(order)).dispose()
    expect(order).toEqual(['third', 'second', 'first'])
  })

  test('when something was built on demand, construction counts and not registration', async () => {
    const order: unknown[] = []
    const dispose = { dispose: (value: unknown) => order.push(value) }
    const services = await unchecked()
      .singleton('a', ({ b }: AnyNeeds) => `a on ${String(b)}`, dispose)
      .singleton('b', () => 'b', dispose)
      .start()
    await (services['dispose'] as () => Promise<void>)()
    expect(order).toEqual(['a on b', 'b'])
  })

  test('when disposed several times at once, each disposer runs once', async () => {
    const order: string[] = []
    const services = await recorded(order)
    await Promise.all([services.dispose(), services.dispose(), services[Symbol.asyncDispose]()])
    await services.dispose()
    expect(order).toEqual(['third', 'second', 'first'])
  })

  test('when a disposer disposes again, it does not start a second round', async () => {
    const order: string[] = []
    let again = (): unknown => undefined
    const services = await createContainer()
      .singleton('first', () => 1, { dispose: () => order.push('first') })
      .singleton('second', () => 2, {
        dispose: async () => {
          again()
          await new Promise((resolve) => setImmediate(resolve))
          order.push('second')
        },
      })
      .start()
    again = () => void services.dispose()
    await services.dispose()
    expect(order).toEqual(['second', 'first'])
  })

  test('when disposers fail in any way, all have their turn and all errors are kept', async () => {
    const order: string[] = []
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('hands off')
        },
      },
    )
    const services = await createContainer()
      .singleton('a', () => 1, { dispose: () => order.push('a') })
      .singleton('b', () => 1, {
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- libraries reject with anything
        dispose: () => Promise.reject(hostile),
      })
      .singleton('c', () => 1, {
        dispose: () => {
          // oxlint-disable-next-line typescript/only-throw-error -- libraries throw anything
          throw null
        },
      })
      .singleton('d', () => 1, { dispose: () => hostile })
      .start()
    const error = (await failureOf(() => services.dispose())) as AggregateError
    expect(order).toEqual(['a'])
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.message).toBe('Not everything could be disposed: d, c, b')
    expect(error.errors).toHaveLength(3)
    expect(error.errors[1]).toBe(null)
    expect(error.errors[2]).toBe(hostile)
  })

  test('when a disposer hangs, the next has its turn after a bound', async () => {
    const clock = createManualClock()
    const order: string[] = []
    const services = await createContainer()
      .singleton('a', () => 1, { dispose: () => order.push('a') })
      .singleton('b', () => 1, { dispose: () => new Promise(() => {}), disposeTimeoutMs: 300 })
      .start({ clock })
    const failure = failureOf(() => services.dispose())
    await clock.advanceAsync(299)
    expect(order).toEqual([])
    await clock.advanceAsync(1)
    expect(((await failure) as AggregateError).errors[0]).toMatchObject({ message: 'b was not disposed within 300 ms' })
    expect(order).toEqual(['a'])
    expect(clock.pending).toBe(0)
  })

  test('when used afterwards, it throws', async () => {
    const services = await recorded([])
    const scope = services.createScope()
    await services.dispose()
    expect(() => services.first).toThrow('first: used after it was disposed')
    expect(() => services.createScope()).toThrow(ContainerError)
    await expect(services.scope(() => 1)).rejects.toThrow(ContainerError)
    expect(() => scope.first).toThrow(ContainerError)
  })

  test('when their type is needed elsewhere, it can be named', async () => {
    const container = createContainer().singleton('port', () => 80)
    const portOf = (services: ServicesOf<typeof container>): number => services.port
    expect(portOf(await container.start())).toBe(80)
    // @ts-expect-error -- nobody registered a host
    void ((services: ServicesOf<typeof container>): unknown => services.host)
  })
})

describe('given a start that fails half way', () => {
  test('when a factory throws, what was built is disposed in reverse and the failure is the original', async () => {
    const order: string[] = []
    const original = new Error('no database')
    const error = await failureOf(() =>
      createContainer()
        .singleton('a', () => 'a', { dispose: (value) => order.push(value) })
        .singleton('b', () => 'b', { dispose: (value) => order.push(value) })
        .singleton('c', () => Promise.reject(original), { dispose: () => order.push('c') })
        .singleton('d', () => expect.fail('was built'))
        .start(),
    )
    expect(error).toBe(original)
    expect(order).toEqual(['b', 'a'])
    expect(Object.keys(error)).not.toContain('disposalErrors')
  })

  test.each<[string, unknown, (error: unknown) => unknown]>([
    ['an error', new Error('no database'), (error) => (error as { disposalErrors: unknown[] }).disposalErrors[0]],
    ['null', null, (error) => (error as AggregateError).errors[1].errors[0]],
    ['a frozen error', Object.freeze(new Error('cold')), (error) => (error as AggregateError).errors[1].errors[0]],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          defineProperty: () => {
            throw new Error('hands off')
          },
        },
      ),
      (error) => (error as AggregateError).errors[1].errors[0],
    ],
  ])('when it fails with %s and a disposer fails too, neither is lost', async (_name, thrown, disposalIn) => {
    const disposal = new Error('pool is stuck')
    const error = await failureOf(() =>
      createContainer()
        .singleton('pool', () => 1, {
          dispose: () => {
            throw disposal
          },
        })
        .singleton('broken', () => {
          throw thrown
        })
        .start(),
    )
    expect(disposalIn(error)).toBe(disposal)
    expect(error === thrown || (error as AggregateError).cause === thrown).toBe(true)
  })
})

describe('given scopes', () => {
  const container = (order: string[]) =>
    createContainer()
      .singleton('pool', () => ({ name: 'pool' }), { dispose: () => order.push('pool') })
      .scoped('unit', ({ pool }) => ({ on: pool.name }), { dispose: () => order.push('unit') })
      .scoped('orders', ({ unit, pool }) => ({ unit, pool }), { dispose: () => order.push('orders') })
      .scoped('unused', () => expect.fail('was built'), { dispose: () => order.push('unused') })

  test('when asked, they build lazily, once each, on top of the singletons', async () => {
    const services = await container([]).start()
    const scope = services.createScope()
    expect(scope.orders.unit).toBe(scope.unit)
    expect(scope.pool).toBe(services.pool)
    expect(services.createScope().unit).not.toBe(scope.unit)
    // @ts-expect-error -- what is scoped exists in scopes only
    expect(services.unit).toBeUndefined()
  })

  test('when run is over, what it built is disposed in reverse and the singletons live on', async () => {
    const order: string[] = []
    const services = await container(order).start()
    const result = await services.scope(async (scope) => scope.orders.unit.on)
    expect(result).toBe('pool')
    expect(order).toEqual(['orders', 'unit'])
    expect(services.pool.name).toBe('pool')
  })

  test('when run throws, it is disposed all the same and the error passes', async () => {
    const order: string[] = []
    const services = await container(order).start()
    const original = new Error('sold out')
    const error = await failureOf(() =>
      services.scope((scope) => {
        void scope.unit
        throw original
      }),
    )
    expect(error).toBe(original)
    expect(order).toEqual(['unit'])
  })

  test('when the services end, open scopes end first', async () => {
    const order: string[] = []
    const services = await container(order).start()
    void services.createScope().unit
    await services.dispose()
    expect(order).toEqual(['unit', 'pool'])
  })

  test('when a scope ends by itself and with the services at once, its disposers run once', async () => {
    const order: string[] = []
    const services = await container(order).start()
    const scope = services.createScope()
    void scope.unit
    await Promise.all([scope.dispose(), services.dispose(), scope.dispose()])
    expect(order).toEqual(['unit', 'pool'])
  })

  test('when scoped needs go in a circle, the error prints it', async () => {
    const services = await unchecked()
      .scoped('a', ({ b }: AnyNeeds) => b)
      .scoped('b', ({ a }: AnyNeeds) => a)
      .start()
    const scope = (services['createScope'] as () => AnyNeeds)()
    expect(() => scope['a']).toThrow(/^a → b → a: /)
  })

  test('when asynchronous scoped needs would wait for each other, the error prints it', async () => {
    const services = await unchecked()
      .scoped('a', async (needs: AnyNeeds) => {
        await Promise.resolve()
        return needs['b']
      })
      .scoped('b', async ({ a }: AnyNeeds) => a)
      .start()
    const scope = (services['createScope'] as () => AnyNeeds)()
    await expect(scope['a']).rejects.toThrow(/^a → b → a: /)
  })

  test('when something scoped is asynchronous, it is a promise there and a value for its disposer', async () => {
    const order: string[] = []
    const services = await createContainer()
      .scoped('inner', async () => 'inner', { dispose: (value) => order.push(value.toUpperCase()) })
      .scoped(
        'outer',
        async (needs) => {
          await Promise.resolve()
          return `outer on ${await needs.inner}`
        },
        { dispose: (value) => order.push(value.toUpperCase()) },
      )
      .start()
    await services.scope(async (scope) => expect(await scope.outer).toBe('outer on inner'))
    expect(order).toEqual(['OUTER ON INNER', 'INNER'])
  })

  test('when a scope ends while something is being built, that is awaited and disposed', async () => {
    const order: string[] = []
    const services = await createContainer()
      .scoped('slow', () => new Promise<string>((resolve) => setImmediate(() => resolve('slow'))), {
        dispose: (value) => order.push(value),
      })
      .start()
    await services.scope((scope) => void scope.slow)
    expect(order).toEqual(['slow'])
  })

  test('when it never gets built, the end does not wait for ever, and a late value is disposed late', async () => {
    const clock = createManualClock()
    const order: string[] = []
    let arrive!: (value: string) => void
    const services = await createContainer()
      .scoped('stuck', () => new Promise<string>((resolve) => (arrive = resolve)), {
        dispose: (value) => order.push(value),
      })
      .start({ clock })
    const scope = services.createScope()
    void scope.stuck
    const failure = failureOf(() => scope.dispose())
    await clock.advanceAsync(2000)
    expect(await failure).toBeInstanceOf(AggregateError)
    arrive('late')
    await clock.advanceAsync(0)
    expect(order).toEqual(['late'])
  })

  test('when building fails, the error stays the same and the end is quiet', async () => {
    let attempts = 0
    const services = await createContainer()
      .scoped('broken', (): number => {
        attempts++
        throw new Error('no luck')
      })
      .scoped('rejected', () => Promise.reject(new Error('no luck')))
      .start()
    const scope = services.createScope()
    expect(() => scope.broken).toThrow('no luck')
    expect(() => scope.broken).toThrow('no luck')
    await expect(scope.rejected).rejects.toThrow('no luck')
    expect(attempts).toBe(1)
    await scope.dispose()
  })
})
