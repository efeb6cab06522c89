import type mongoose from 'mongoose'
import type { GivenOptions, OwnOptions, Route } from './operations.ts'

/** Of the driver's cursors, what Mongoose uses. */
export interface DriverCursor {
  next(): Promise<unknown>
  tryNext(): Promise<unknown>
  hasNext(): Promise<boolean>
  toArray(): Promise<unknown[]>
  explain(verbosity?: unknown): Promise<unknown>
  rewind(): void
  close(): Promise<void>
}

type Open = (db: mongoose.mongo.Db, own: OwnOptions, flags: Readonly<Record<string, unknown>>) => DriverCursor

/**
 * A cursor that is opened when its first document is wanted. All it asks goes the way on which it was made, and waits for
 * its turn there.
 */
export class RoutedCursor implements DriverCursor {
  readonly #route: Route
  readonly #given: GivenOptions
  readonly #open: Open
  readonly #flags: Record<string, unknown> = {}
  #cursor: DriverCursor | undefined

  constructor(route: Route, given: GivenOptions, open: Open) {
    this.#route = route
    this.#given = given
    this.#open = open
  }

  next(): Promise<unknown> {
    return this.#ask((cursor) => cursor.next())
  }

  tryNext(): Promise<unknown> {
    return this.#ask((cursor) => cursor.tryNext())
  }

  hasNext(): Promise<boolean> {
    return this.#ask((cursor) => cursor.hasNext())
  }

  toArray(): Promise<unknown[]> {
    return this.#ask((cursor) => cursor.toArray())
  }

  explain(verbosity?: unknown): Promise<unknown> {
    return this.#ask((cursor) => cursor.explain(verbosity))
  }

  /** Before the first document. */
  addCursorFlag(flag: string, value: boolean): this {
    this.#flags[flag] = value
    return this
  }

  rewind(): void {
    this.#cursor?.rewind()
  }

  /** Never rejects: a cursor that is not said goodbye to is closed by the server. */
  async close(): Promise<void> {
    await this.#cursor?.close().catch(() => {})
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void> {
    try {
      for (let document = await this.next(); document !== null; document = await this.next()) yield document
    } finally {
      await this.close()
    }
  }

  #ask<Result>(question: (cursor: DriverCursor) => Promise<Result>): Promise<Result> {
    return this.#route.ask(this.#given, false, (db, own) => {
      this.#cursor ??= this.#open(db, own, this.#flags)
      return question(this.#cursor)
    })
  }
}
