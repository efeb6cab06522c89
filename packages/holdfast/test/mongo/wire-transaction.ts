import { type Collection, type Documents, Refused } from './wire-collection.ts'
import type { Document } from './wire-messages.ts'

export interface Transaction {
  readonly number: number
  readonly snapshot: ReadonlyMap<string, Documents>
  /** By namespace and id; `undefined` where a document is deleted. */
  readonly writes: Map<string, Map<string, Document | undefined>>
  readonly ended: Promise<void>
  readonly end: () => void
  state: 'open' | 'committed' | 'aborted'
}

export function begin(number: number, snapshot: ReadonlyMap<string, Documents>): Transaction {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  return { number, snapshot, writes: new Map(), ended, end, state: 'open' }
}

export function finish(transaction: Transaction, state: 'committed' | 'aborted'): void {
  transaction.state = state
  transaction.end()
}

export function writesOf({ writes }: Transaction, namespace: string): Map<string, Document | undefined> {
  const own = writes.get(namespace) ?? new Map<string, Document | undefined>()
  writes.set(namespace, own)
  return own
}

export function apply(documents: Documents, writes: ReadonlyMap<string, Document | undefined>): void {
  for (const [key, next] of writes) {
    if (next === undefined) documents.delete(key)
    else documents.set(key, next)
  }
}

export function unseenBy({ snapshot }: Transaction, { namespace, documents }: Collection): Documents {
  const seen = snapshot.get(namespace)
  return new Map([...documents].filter(([key, document]) => seen?.get(key) !== document))
}

const transient: Document = { errorLabels: ['TransientTransactionError'] }
export const conflict = (): Refused => new Refused(112, 'WriteConflict', transient)
export const noTransaction = (): Refused => new Refused(251, 'NoSuchTransaction', transient)
