/** Places for what the gates of one limiter remember: together at most so many, whichever gate a flood comes through. */
export class Room {
  readonly #maxEntries: number
  readonly #shelves: Shelf<unknown>[] = []
  #size = 0

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  get size(): number {
    return this.#size
  }

  /** @param onEvicted - told of each entry that makes room for another */
  shelf<Value>(onEvicted: (value: Value) => void): Shelf<Value> {
    const shelf = new Shelf<Value>(onEvicted, {
      onAdded: () => {
        this.#size += 1
        if (this.#size > this.#maxEntries) this.#fullest().dropOldest()
      },
      onDeleted: () => void (this.#size -= 1),
    })
    this.#shelves.push(shelf as Shelf<unknown>)
    return shelf
  }

  #fullest(): Shelf<unknown> {
    return this.#shelves.reduce((fullest, shelf) => (shelf.size > fullest.size ? shelf : fullest))
  }
}

interface Tally {
  onAdded(): void
  onDeleted(): void
}

/** The entries of one gate, in the order in which they were put there. */
export class Shelf<Value> {
  readonly #entries = new Map<string, Value>()
  // See LruMap: a new iterator walks over all that was deleted before the oldest entry.
  readonly #oldestFirst: MapIterator<[string, Value]> = this.#entries.entries()
  readonly #onEvicted: (value: Value) => void
  readonly #tally: Tally

  constructor(onEvicted: (value: Value) => void, tally: Tally) {
    this.#onEvicted = onEvicted
    this.#tally = tally
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)
  }

  /** Puts it last, also when it was there. */
  put(key: string, value: Value): void {
    const wasThere = this.#entries.delete(key)
    this.#entries.set(key, value)
    if (!wasThere) this.#tally.onAdded()
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#tally.onDeleted()
  }

  dropOldest(): void {
    const [key, value] = this.#oldestFirst.next().value!
    this.delete(key)
    this.#onEvicted(value)
  }
}
