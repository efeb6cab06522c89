import { inspect } from 'node:util'

const shown = '[secret]'

/**
 * Wraps a text that must not be printed. Whatever prints values (template literals, `String()`, JSON, `console.log`,
 * the logger, `structuredClone`) sees `[secret]` or nothing; only {@link Secret.reveal} gives the text.
 * Call `reveal()` at the moment of use and do not keep its result.
 */
export class Secret {
  readonly #value: string

  /** @throws {TypeError} when given anything but a string; the message does not show it */
  constructor(value: string) {
    if (typeof value !== 'string') throw new TypeError(`A Secret wraps a string, not ${typeof value}`)
    this.#value = value
    Object.freeze(this)
  }

  /** The text itself. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [Symbol.toPrimitive](): string {
    return shown
  }
}

// Not a member: isolated declarations cannot name a key that comes from another module.
Object.defineProperty(Secret.prototype, inspect.custom, { value: () => shown })
