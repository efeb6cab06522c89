import { AsyncLocalStorage } from 'node:async_hooks'

/** A transaction of `owner` that this asynchronous flow runs in. */
interface Ambient {
  readonly owner: object
  readonly scope: AmbientScope | undefined
  readonly outer: Ambient | undefined
}

/** What of a transaction concerns everybody, whatever its store. */
export interface AmbientScope {
  /** Told of a call over the network that is made while the transaction is open. */
  noteOutboundCall(target: string): void
}

const storage = new AsyncLocalStorage<Ambient>()

/** Runs `work` so that {@link scopeOf} answers `scope` for `owner`, in it and in everything it starts. */
export function withScope<Result>(owner: object, scope: AmbientScope | undefined, work: () => Result): Result {
  return storage.run({ owner, scope, outer: storage.getStore() }, work)
}

/** The transaction of `owner` that the caller runs in. A flow may be in transactions of several owners. */
// oxlint-disable-next-line no-unnecessary-type-parameters -- who owns a scope knows what it is
export function scopeOf<Scope extends AmbientScope>(owner: object): Scope | undefined {
  for (let at = storage.getStore(); at !== undefined; at = at.outer) {
    if (at.owner === owner) return at.scope as Scope | undefined
  }
  return undefined
}

/** Every transaction that the caller runs in, innermost first. */
export function scopesHere(): AmbientScope[] {
  const scopes = new Map<object, AmbientScope | undefined>()
  for (let at = storage.getStore(); at !== undefined; at = at.outer) {
    if (!scopes.has(at.owner)) scopes.set(at.owner, at.scope)
  }
  return [...scopes.values()].filter((scope) => scope !== undefined)
}
