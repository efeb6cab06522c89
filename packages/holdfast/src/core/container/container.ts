import { systemClock, type Clock } from '../../foundation/clock.ts'
import { ContainerError } from './container-error.ts'
import { Lifetime } from './lifetimes.ts'
import { isReserved, type Registration, type Registrations, type ReservedName } from './registration.ts'

type Named<Name extends string, Value> = { readonly [K in Name]: Value }

/** Turns a bad name into a type whose text says what is wrong, so that the compiler's message does. */
type FreshName<Name extends string, Taken> = Name extends keyof Taken
  ? `"${Name}" is already registered`
  : Name extends ReservedName
    ? `"${Name}" is a reserved name`
    : Name

export interface NeedOptions<Value> {
  /** Ends the value's life. Called once, after everything that was built later has been disposed. */
  readonly dispose?: (value: Value) => unknown
  /** How long `dispose` may take before the next one gets its turn, in milliseconds. Default 2000 */
  readonly disposeTimeoutMs?: number
}

export interface StartServicesOptions {
  /** Stops the start between two factories. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

/**
 * Recipes for the parts of a service, each with the needs it may use. Immutable: every call gives a new container, so
 * a test that overrides something does not change the service's own.
 */
export interface Container<Singletons extends object, Scoped extends object> {
  /**
   * Registers what exists once per process. An asynchronous factory is awaited during start.
   *
   * @param factory - receives everything registered before as typed properties; take those it needs
   * @throws {ContainerError} when the name is taken or reserved
   */
  singleton<const Name extends string, Value>(
    name: FreshName<Name, Singletons & Scoped>,
    factory: (needs: Singletons) => Value | Promise<Value>,
    options?: NeedOptions<Value>,
  ): Container<Singletons & Named<Name, Value>, Scoped>

  /**
   * Registers what exists once per scope, such as per request or job. Built when first asked for; a promise stays a
   * promise, and its value is what gets disposed.
   *
   * @throws {ContainerError} when the name is taken or reserved
   */
  scoped<const Name extends string, Value>(
    name: FreshName<Name, Singletons & Scoped>,
    factory: (needs: Singletons & Scoped) => Value,
    options?: NeedOptions<Awaited<Value>>,
  ): Container<Singletons, Scoped & Named<Name, Value>>

  /**
   * Replaces a recipe, for tests. The type and the place in the order stay; the replaced disposer does not apply.
   *
   * @throws {ContainerError} when nothing has that name
   */
  override<Name extends keyof Singletons & string>(
    name: Name,
    factory: (needs: Omit<Singletons, Name>) => Singletons[Name] | Promise<Singletons[Name]>,
    options?: NeedOptions<Singletons[Name]>,
  ): Container<Singletons, Scoped>
  override<Name extends keyof Scoped & string>(
    name: Name,
    factory: (needs: Singletons & Omit<Scoped, Name>) => Scoped[Name],
    options?: NeedOptions<Awaited<Scoped[Name]>>,
  ): Container<Singletons, Scoped>

  /**
   * Builds the singletons in order of registration. A need that is registered later is built on demand if its factory
   * is synchronous. When one fails, what was built is disposed in reverse and the start rejects with that failure;
   * failures of disposers are added to it as `disposalErrors`.
   *
   * @throws {ContainerError} for missing, cyclic, scoped or too late needs; its message prints `a → b → a`
   */
  start(options?: StartServicesOptions): Promise<Services<Singletons, Scoped>>
}

/** The built singletons, and the door to scopes. */
export type Services<Singletons extends object, Scoped extends object> = Readonly<Singletons> & {
  /** Opens a scope for the time `run` takes. Disposes it whatever happens, then passes on what `run` gave or threw. */
  scope<Result>(run: (scope: Scope<Singletons, Scoped>) => Result | Promise<Result>): Promise<Result>
  /** Opens a scope that the caller has to dispose. */
  createScope(): Scope<Singletons, Scoped>
  /**
   * Disposes open scopes, then the singletons in reverse order of construction. Further calls get the same promise.
   *
   * @throws {AggregateError} after everything had its turn, with the errors of all disposers that failed
   */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The singletons, and what lives as long as this scope. Read from it; a copy (`{ ...scope }`) has nothing in it. */
export type Scope<Singletons extends object, Scoped extends object> = Readonly<Singletons & Scoped> & {
  /** Disposes what the scope built, in reverse. Further calls get the same promise. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The services a container starts: `ServicesOf<typeof container>`. */
export type ServicesOf<C> = C extends Container<infer Singletons, infer Scoped> ? Services<Singletons, Scoped> : never

/**
 * A container without recipes. Wiring is plain functions: no reflection, no decorators, no look-up by text.
 *
 * @example
 * const services = await createContainer()
 *   .singleton('config', () => loadSettings())
 *   .singleton('pool', ({ config }) => createPool(config), { dispose: (pool) => pool.end() })
 *   .scoped('unitOfWork', ({ pool }) => new UnitOfWork(pool))
 *   .start()
 */
export function createContainer(): Container<object, object> {
  return containerOf(new Map()) as unknown as Container<object, object>
}

/** The container without its types: the interface above is what tells needs and names apart. */
interface UntypedContainer {
  singleton(name: string, factory: Registration['factory'], options?: NeedOptions<never>): UntypedContainer
  scoped(name: string, factory: Registration['factory'], options?: NeedOptions<never>): UntypedContainer
  override(name: string, factory: Registration['factory'], options?: NeedOptions<never>): UntypedContainer
  start(options?: StartServicesOptions): Promise<object>
}

const defaultDisposeTimeoutMs = 2000

function containerOf(registrations: Registrations): UntypedContainer {
  const add = (
    lifetime: Registration['lifetime'],
    name: string,
    factory: Registration['factory'],
    options: NeedOptions<never> | undefined,
  ): UntypedContainer => {
    assertFreshName(name, registrations)
    return containerOf(withRegistration(registrations, toRegistration(lifetime, name, factory, options)))
  }
  return {
    singleton: (name, factory, options) => add('singleton', name, factory, options),
    scoped: (name, factory, options) => add('scoped', name, factory, options),
    override(name, factory, options) {
      const replaced = registrations.get(name)
      if (!replaced) throw new ContainerError([], `Nothing is registered as "${name}", so there is nothing to override`)
      return containerOf(withRegistration(registrations, toRegistration(replaced.lifetime, name, factory, options)))
    },
    start: (options) => startServices(registrations, options ?? {}),
  }
}

/** Setting an existing key of a Map keeps its place, so an override is built where the replaced one was. */
function withRegistration(registrations: Registrations, registration: Registration): Registrations {
  return new Map(registrations).set(registration.name, registration)
}

function toRegistration(
  lifetime: Registration['lifetime'],
  name: string,
  factory: Registration['factory'],
  options: NeedOptions<never> = {},
): Registration {
  const { dispose, disposeTimeoutMs = defaultDisposeTimeoutMs } = options
  if (typeof factory !== 'function') throw new TypeError(`"${name}" needs a factory function, not ${typeof factory}`)
  if (dispose !== undefined && typeof dispose !== 'function') {
    throw new TypeError(`dispose of "${name}" is a function, not ${typeof dispose}`)
  }
  if (!(disposeTimeoutMs >= 0)) {
    throw new RangeError(`disposeTimeoutMs of "${name}" is milliseconds ≥ 0, not ${disposeTimeoutMs}`)
  }
  return { name, lifetime, factory, dispose, disposeTimeoutMs }
}

function assertFreshName(name: string, registrations: Registrations): void {
  if (typeof name !== 'string' || name === '') throw new TypeError('A need has a name: a text that is not empty')
  if (isReserved(name)) throw new ContainerError([], `"${name}" is a reserved name; choose another`)
  if (registrations.has(name)) throw new ContainerError([], `"${name}" is already registered; use override in tests`)
}

async function startServices(registrations: Registrations, options: StartServicesOptions): Promise<object> {
  const { signal, clock = systemClock } = options
  const singletons = new Lifetime(registrations, clock)
  try {
    for (const registration of registrations.values()) {
      signal?.throwIfAborted()
      if (registration.lifetime === 'singleton') await singletons.construct(registration)
    }
    signal?.throwIfAborted()
  } catch (error) {
    throw await afterDisposing(singletons, error)
  }
  return servicesOf(registrations, singletons)
}

function servicesOf(registrations: Registrations, singletons: Lifetime): object {
  const ScopeOfThese = scopeClass(registrations)
  const createScope = (): ScopeHandle => new ScopeOfThese(singletons.openScope())
  const scope = async (run: (scope: ScopeHandle) => unknown): Promise<unknown> => {
    const opened = createScope()
    let result: unknown
    try {
      result = await run(opened)
    } catch (error) {
      throw await afterDisposing(opened, error)
    }
    await opened.dispose()
    return result
  }
  const dispose = (): Promise<void> => singletons.dispose()

  // No prototype, so that a name nobody registered is `undefined` and not something of Object's.
  const services: object = Object.create(null)
  for (const { name, lifetime } of registrations.values()) {
    if (lifetime === 'scoped') continue
    Object.defineProperty(services, name, { enumerable: true, get: () => singletons.get(name) })
  }
  return Object.defineProperties(services, {
    scope: { value: scope },
    createScope: { value: createScope },
    dispose: { value: dispose },
    [Symbol.asyncDispose]: { value: dispose },
  })
}

class ScopeHandle {
  readonly #lifetime: Lifetime

  constructor(lifetime: Lifetime) {
    this.#lifetime = lifetime
  }

  static valueIn(scope: ScopeHandle, name: string): unknown {
    return scope.#lifetime.get(name)
  }

  dispose(): Promise<void> {
    return this.#lifetime.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.dispose()
  }
}

/** Getters on a prototype shared by all scopes: a scope per request must not define a dozen properties each time. */
function scopeClass(registrations: Registrations): typeof ScopeHandle {
  const ScopeOfThese = class extends ScopeHandle {}
  for (const { name } of registrations.values()) {
    const get = function (this: ScopeHandle): unknown {
      return ScopeHandle.valueIn(this, name)
    }
    Object.defineProperty(ScopeOfThese.prototype, name, { get })
  }
  return ScopeOfThese
}

/** The failure that is to be thrown, once all is disposed. Disposers that fail too must not hide it. */
async function afterDisposing(lifetime: Pick<ScopeHandle, 'dispose'>, failure: unknown): Promise<unknown> {
  try {
    await lifetime.dispose()
    return failure
  } catch (disposal) {
    const disposalErrors: unknown = disposal instanceof AggregateError ? disposal.errors : [disposal]
    if (isObject(failure) && tryDefine(failure, 'disposalErrors', disposalErrors)) return failure
    return new AggregateError([failure, disposal], 'It failed, and so did disposing afterwards', { cause: failure })
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** False when the object does not let itself be added to: frozen, or a proxy of any temper. */
function tryDefine(target: object, key: string, value: unknown): boolean {
  try {
    return Reflect.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  } catch {
    return false
  }
}
