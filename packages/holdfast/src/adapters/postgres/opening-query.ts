import pg from 'pg'
import type { QueryConfig } from './connection.ts'

// The parts of pg that its types leave out.
interface Wire {
  readonly parsedStatements: Readonly<Record<string, string>>
  bind(message: { portal: string; statement: string; values: readonly never[]; binary: boolean }): void
  execute(message: { portal: string; rows: number }): void
}
interface Preparing {
  prepare?(wire: Wire): void
}

const preparing = pg.Query.prototype as unknown as Preparing

/**
 * A statement that takes its BEGIN along. Both stand before one Sync, after which the server goes on: when BEGIN fails,
 * it does not look at the statement, where two queries sent at once would have the second one committed by itself.
 *
 * @see PostgreSQL documentation, "Extended Query" and "Pipelining" (Frontend/Backend Protocol)
 */
class OpeningQuery extends pg.Query {
  readonly #begin: string

  constructor(begin: string, query: QueryConfig, callback: (error: Error | undefined, results: unknown) => void) {
    super(query, undefined, callback as never)
    this.#begin = begin
  }

  prepare(wire: Wire): void {
    wire.bind({ portal: '', statement: this.#begin, values: [], binary: false })
    wire.execute({ portal: '', rows: 0 })
    preparing.prepare?.call(this, wire)
  }
}

/** Whether a connection knows this BEGIN by its text, so that a statement can take it along. */
export function mayOpen(client: pg.ClientBase, begin: string): boolean {
  const { parsedStatements } = (client as pg.Client).connection as unknown as Partial<Wire>
  return preparing.prepare !== undefined && parsedStatements?.[begin] !== undefined
}

/** Sends BEGIN, which has to be prepared under its own text, and a statement behind it. */
export function sendOpening(client: pg.ClientBase, begin: string, query: QueryConfig): Promise<pg.QueryResult> {
  return new Promise((resolve, reject) => {
    const callback = (error: Error | undefined, results: unknown): void => {
      // One result for each of the two.
      if (error === undefined || error === null) resolve((results as readonly pg.QueryResult[])[1] as pg.QueryResult)
      else reject(error)
    }
    client.query(new OpeningQuery(begin, query, callback) as never)
  })
}
