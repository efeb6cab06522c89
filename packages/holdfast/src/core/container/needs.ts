import { isReserved, type Registration, type Registrations } from './registration.ts'

/** Gives what a factory asks for; `path` is who asked, outermost first. */
export type Resolve = (name: string, path: readonly string[]) => unknown

/**
 * What a factory receives. A proxy, because only that notices a name nobody registered: a plain object would hand
 * `undefined` to a misspelt need, and it would surface far away.
 */
export function needsOf(
  registration: Registration,
  path: readonly string[],
  registrations: Registrations,
  resolve: Resolve,
): object {
  return new Proxy(Object.create(null) as object, {
    get: (_target, key) => (isAsked(key) ? resolve(key, path) : undefined),
    has: (_target, key) => isAsked(key) && registrations.has(key),
    set: () => false,
    defineProperty: () => false,
    // `{ pool, ...others }` copies what the types promise: everything registered before.
    ownKeys: () => namesBefore(registration, registrations),
    getOwnPropertyDescriptor: (_target, key) =>
      isAsked(key) && registrations.has(key)
        ? { get: () => resolve(key, path), enumerable: true, configurable: true }
        : undefined,
  })
}

/** Promises, inspection and JSON look for symbols and for names such as `then`; that is no need of the factory. */
function isAsked(key: string | symbol): key is string {
  return typeof key === 'string' && !isReserved(key)
}

function namesBefore(registration: Registration, registrations: Registrations): string[] {
  const names: string[] = []
  for (const other of registrations.values()) {
    if (other.name === registration.name) break
    if (registration.lifetime === 'scoped' || other.lifetime === 'singleton') names.push(other.name)
  }
  return names
}
