import { createHash } from 'node:crypto'

/** A script that runs inside Redis, sent once and called by its hash from then on. */
export interface RedisScript {
  readonly lua: string
  /** The keys come first among the arguments; all of one call lie in one cluster slot. */
  readonly numberOfKeys: number | undefined
  /** `bytes`: strings in the reply come as Buffers, for values that are no UTF-8. Default `text` */
  readonly replies?: 'text' | 'bytes'
}

const hashes = new WeakMap<RedisScript, string>()

/** Counted once per object, so a script is a constant and not made per call. */
export function hashOf(script: RedisScript): string {
  const known = hashes.get(script)
  if (known !== undefined) return known
  // What Redis calls a script by; nothing is kept safe by it.
  const hash = createHash('sha1').update(script.lua).digest('hex')
  hashes.set(script, hash)
  return hash
}
