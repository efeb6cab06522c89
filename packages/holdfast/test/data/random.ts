/**
 * Numbers that look random and come again with the same seed (mulberry32). `HOLDFAST_SEED` repeats a run as far as the
 * order of events lets it.
 */
export class Random {
  readonly seed: number
  #state: number

  constructor(seed = Number(process.env['HOLDFAST_SEED'] ?? Date.now() % 1_000_000)) {
    this.seed = seed
    this.#state = seed
  }

  /** From 0 up to, but not including, 1. */
  share(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.share() * (most - least + 1))
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items.at(this.whole(0, items.length - 1))
    if (item === undefined) throw new Error('There is nothing to pick from')
    return item
  }
}
