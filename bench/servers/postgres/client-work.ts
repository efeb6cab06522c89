/** What each way to ask PostgreSQL is asked for, of a wallet of the account. */
export interface Client {
  /** One select by key. */
  find(id: number): Promise<{ readonly id: number }>
  /** One transaction: a select for update, an update, an insert. */
  deposit(id: number): Promise<{ readonly id: number }>
}

export const account = process.env['BENCH_ACCOUNT'] as string
export const entry = { amountCents: 5, note: 'Put aside' }
