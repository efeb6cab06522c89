import { hash } from 'node:crypto'
import type { LimitSubject } from './limiter.ts'

// Addresses and ids of our own making are short and tell a person who looks into the store more than a hash does.
const plain = /^[\w.:/-]{1,64}$/

/**
 * What a subject is called where it is remembered: bounded in length, without braces, and nothing of a person's that
 * came in a body. `~` starts a hash and stands in no plain name, so neither can pass for the other.
 */
export function toKey(by: LimitSubject, subject: string): string {
  if (typeof by === 'object') return hashed(alike(subject))
  return plain.test(subject) ? subject : hashed(subject)
}

/** Before a key in the store, so that kinds of subjects never share a counter. */
export function toPrefix(by: LimitSubject): string {
  if (typeof by === 'object') return 'b:'
  return by === 'address' ? 'a:' : 'p:'
}

const hashed = (text: string): string => `~${hash('sha256', text, 'base64url').slice(0, 22)}`

/** Spellings that a service may take for the same account count as one: an attacker picks the spelling. */
function alike(value: string): string {
  return value.trim().slice(0, 1000).normalize('NFKC').toLowerCase()
}
