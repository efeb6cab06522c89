import { randomBytes } from 'node:crypto'

/**
 * Version 7 of RFC 9562 as a text: milliseconds first, so that ids grow with time and an index on them stays dense.
 * Cursors and replies have them in this form, whatever the store.
 */
export function createId(now: number = Date.now()): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(now, 0, 6)
  bytes[6] = 0x70 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
