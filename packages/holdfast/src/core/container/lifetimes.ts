import { isPromise } from 'node:util/types'
import type { Clock } from '../../foundation/clock.ts'
import { ContainerError } from './container-error.ts'
import { needsOf } from './needs.ts'
import type { Registration, Registrations } from './registration.ts'

type Cell =
  | { readonly state: 'building' }
  /** `isPending`: a scoped promise that has not settled. */
  | { readonly state: 'built'; readonly value: unknown; isPending: boolean }
  | { readonly state: 'failed'; readonly error: unknown }
  | { readonly state: 'disposed' }

/** A built value, in order of construction. */
interface Built {
  readonly registration: Registration
  readonly value: unknown
}

/**
 * Holds what lives equally long: all singletons, or what one scope made. Builds on demand, knows who is being built,
 * and disposes in reverse order of construction, once.
 */
export class Lifetime {
  readonly #registrations: Registrations
  readonly #clock: Clock
  readonly #root: Lifetime
  readonly #cells = new Map<string, Cell>()
  readonly #built: Built[] = []
  readonly #pending = new Map<Promise<unknown>, Registration>()
  readonly #openScopes = new Set<Lifetime>()
  #disposal: Promise<void> | undefined

  /** @param root - the singletons' lifetime; without it this is the singletons' own */
  constructor(registrations: Registrations, clock: Clock, root?: Lifetime) {
    this.#registrations = registrations
    this.#clock = clock
    this.#root = root ?? this
  }

  get isClosed(): boolean {
    return this.#disposal !== undefined
  }

  /** Builds a singleton and waits for it. */
  async construct(registration: Registration): Promise<void> {
    const cell = this.#cells.get(registration.name)
    if (cell?.state === 'built') return
    if (cell?.state === 'failed') throw cell.error
    const made = this.#make(registration, [registration.name])
    if (!isPromise(made)) return this.#keep(registration, made)
    try {
      this.#keep(registration, await made)
    } catch (error) {
      this.#cells.set(registration.name, { state: 'failed', error })
      throw error
    }
  }

  openScope(): Lifetime {
    if (this.isClosed) throw closedError(['scope'])
    const scope = new Lifetime(this.#registrations, this.#clock, this)
    this.#openScopes.add(scope)
    return scope
  }

  /** What the outside asks for. */
  get(name: string): unknown {
    if (this.isClosed) throw closedError([name])
    return this.#resolve(name, [])
  }

  dispose(): Promise<void> {
    // Closed before the first disposer runs, so that one which calls back cannot start a second round.
    this.#disposal ??= Promise.resolve().then(() => this.#disposeAll())
    return this.#disposal
  }

  #resolve(name: string, askers: readonly string[]): unknown {
    const path = [...askers, name]
    const registration = this.#registrations.get(name)
    if (!registration) throw new ContainerError(path, `nothing is registered as "${name}"; register it first`)
    if (registration.lifetime === 'singleton') return this.#root.#resolveHere(registration, path)
    if (this !== this.#root) return this.#resolveHere(registration, path)
    throw new ContainerError(
      path,
      `a singleton cannot need the scoped "${name}", which ends before it; make the needing one scoped as well`,
    )
  }

  #resolveHere(registration: Registration, path: readonly string[]): unknown {
    const { name } = registration
    const askers = path.slice(0, -1)
    const cell = this.#cells.get(name)
    switch (cell?.state) {
      case 'building':
        throw cyclicError(askers.includes(name) ? path : [name, ...path])
      case 'built':
        // Its promise waits for the asker, who would wait for the promise.
        if (cell.isPending && askers.includes(name)) throw cyclicError(path)
        return cell.value
      case 'failed':
        throw cell.error
      case 'disposed':
        throw closedError(path)
      default:
        if (this.isClosed) throw closedError(path)
        return this.#makeOnDemand(registration, path)
    }
  }

  #makeOnDemand(registration: Registration, path: readonly string[]): unknown {
    const { name } = registration
    const made = this.#make(registration, path)
    if (!isPromise(made)) {
      this.#keep(registration, made)
      return made
    }
    this.#keepOnceSettled(registration, made)
    if (registration.lifetime === 'scoped') return made
    const asker = path.at(-2) ?? name
    const error = new ContainerError(
      path,
      `"${name}" is built asynchronously and registered after "${asker}"; register it before`,
    )
    this.#cells.set(name, { state: 'failed', error })
    throw error
  }

  #make(registration: Registration, path: readonly string[]): unknown {
    this.#cells.set(registration.name, { state: 'building' })
    try {
      const needs = needsOf(registration, path, this.#registrations, (name, askers) => this.#resolve(name, askers))
      return registration.factory(needs as never)
    } catch (error) {
      this.#cells.set(registration.name, { state: 'failed', error })
      throw error
    }
  }

  #keep(registration: Registration, value: unknown): void {
    this.#cells.set(registration.name, { state: 'built', value, isPending: false })
    this.#built.push({ registration, value })
  }

  #keepOnceSettled(registration: Registration, promise: Promise<unknown>): void {
    const cell: Cell = { state: 'built', value: promise, isPending: true }
    this.#cells.set(registration.name, cell)
    this.#pending.set(promise, registration)
    const settled = (): boolean => {
      cell.isPending = false
      return this.#pending.delete(promise)
    }
    promise.then(
      (value) => {
        // Whoever disposed did not wait for this one any longer.
        if (settled()) this.#built.push({ registration, value })
        else void this.#disposeOne({ registration, value }).catch(() => {})
      },
      // Whoever asked holds the same promise and sees the error.
      settled,
    )
  }

  async #disposeAll(): Promise<void> {
    const failed: { name: string; error: unknown }[] = []
    for (const scope of [...this.#openScopes].toReversed()) {
      await scope.dispose().catch((error: unknown) => failed.push({ name: 'an open scope', error }))
    }
    await this.#settlePending(failed)
    for (let built = this.#built.pop(); built; built = this.#built.pop()) {
      const { name } = built.registration
      try {
        await this.#disposeOne(built)
      } catch (error) {
        failed.push({ name, error })
      }
      this.#cells.set(name, { state: 'disposed' })
    }
    this.#root.#openScopes.delete(this)
    if (failed.length === 0) return
    const names = failed.map(({ name }) => name).join(', ')
    throw new AggregateError(
      failed.map(({ error }) => error),
      `Not everything could be disposed: ${names}`,
    )
  }

  async #settlePending(failed: { name: string; error: unknown }[]): Promise<void> {
    for (const [promise, registration] of this.#pending) {
      const { name, disposeTimeoutMs } = registration
      const outcome = promise.then(noop, noop)
      await this.#within(disposeTimeoutMs, outcome, `${name} was still being built after ${disposeTimeoutMs} ms`).catch(
        (error: unknown) => failed.push({ name, error }),
      )
      this.#pending.delete(promise)
    }
  }

  async #disposeOne({ registration, value }: Built): Promise<void> {
    const { name, dispose, disposeTimeoutMs } = registration
    const disposal: unknown = dispose?.(value as never)
    // Anything that may be a promise of some library; the bound also ends a `then` that never calls back.
    if (typeof disposal === 'object' && disposal !== null) {
      await this.#within(
        disposeTimeoutMs,
        Promise.resolve(disposal),
        `${name} was not disposed within ${disposeTimeoutMs} ms`,
      )
    }
  }

  #within(ms: number, promise: Promise<unknown>, message: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.schedule(ms, () => reject(new ContainerError([], message)))
      promise.then(resolve, reject).finally(() => timer.cancel())
    })
  }
}

function noop(): void {}

function cyclicError(path: readonly string[]): ContainerError {
  return new ContainerError(path, 'these need each other in a circle; let a third one hold what both need')
}

function closedError(path: readonly string[]): ContainerError {
  return new ContainerError(path, 'used after it was disposed')
}
