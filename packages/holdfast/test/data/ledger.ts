import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Database } from '../../src/adapters/postgres/database.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { created, ok } from '../../src/core/http/reply.ts'
import { get, post, type Route } from '../../src/core/http/route.ts'
import type { TransactionOptions } from '../../src/core/transactions/transactions.ts'
import { ConflictError } from '../../src/foundation/errors.ts'

// Accounts that pay each other and products that are sold by the piece. Nothing in the tables guards sums and pieces: what
// is right here is right because of transactions. Amounts are read, computed here and written, so that whoever is not
// isolated loses money.

export const schema = `
  create table accounts (id int primary key, coins int not null);
  create table transfers (id text primary key, payer int not null, payee int not null, amount int not null);
  create table products (id int primary key, stock int not null);
  create table sales (id text primary key, product int not null, piece int not null);
  -- The share of writes that the database gives up on, at once and again at the commit.
  create table weather (conflict_share float not null);
  insert into weather values (0);
  create function spoil() returns trigger language plpgsql as $$
    begin
      if random() < (select conflict_share from weather) then
        raise exception 'in the way' using errcode = '40001';
      end if;
      return null;
    end $$;
  -- A commit that takes its time, so that many a connection breaks in the middle of one.
  create function linger() returns trigger language plpgsql as $$
    begin
      perform pg_sleep(0.01);
      return null;
    end $$;
  create trigger spoil_transfer after insert on transfers for each row execute function spoil();
  create constraint trigger linger_transfer after insert on transfers
    deferrable initially deferred for each row execute function linger();
  create constraint trigger spoil_commit after insert on transfers
    deferrable initially deferred for each row execute function spoil();
  create trigger spoil_sale after insert on sales for each row execute function spoil();
  create constraint trigger linger_sale after insert on sales
    deferrable initially deferred for each row execute function linger();
  create constraint trigger spoil_sale_commit after insert on sales
    deferrable initially deferred for each row execute function spoil();`

export const transferKinds = ['locks', 'serializable'] as const
export const saleKinds = ['locks', 'serializable', 'statement', 'secured'] as const

const id = z.string().max(40)
const Transfer = z.object({
  id,
  kind: z.enum(transferKinds),
  payer: z.number().int(),
  payee: z.number().int(),
  amount: z.number().int(),
})
type Transfer = z.output<typeof Transfer>
const Sale = z.object({ id, kind: z.enum(saleKinds), product: z.number().int() })
type Sale = z.output<typeof Sale>
const Numbers = z.record(z.string(), z.object({ total: z.number(), idle: z.number(), waiting: z.number() }))
const Report = z.object({ pools: Numbers, defects: z.array(z.string()), announced: z.array(z.string()) })
export type Report = z.output<typeof Report>

const retries = 10
const settingsOf = (kind: string): TransactionOptions =>
  kind === 'serializable' ? { isolation: 'serializable', retries } : { retries }

class Ledger {
  readonly #database: Database
  /** What was told to the world after its commit. */
  readonly announced: string[] = []

  constructor(database: Database) {
    this.#database = database
  }

  transfer({ id: name, kind, payer, payee, amount }: Transfer): Promise<void> {
    const forUpdate = kind === 'locks' ? sql` for update` : sql.empty
    const coinsOf = (account: number): Promise<number> =>
      this.#database.one(
        sql`select coins from accounts where id = ${account}${forUpdate}`,
        (row: { readonly coins: number }) => row.coins,
      )
    const setCoins = (account: number, coins: number): Promise<number> =>
      this.#database.execute(sql`update accounts set coins = ${coins} where id = ${account}`)
    return this.#database.transaction(async () => {
      this.#database.afterCommit(() => void this.announced.push(name))
      await this.#database.execute(
        sql`insert into transfers (id, payer, payee, amount) values (${name}, ${payer}, ${payee}, ${amount})`,
      )
      const coins = await coinsOf(payer)
      if (coins < amount) throw new ConflictError('ledger.too_little', 'The account holds too little.')
      await setCoins(payer, coins - amount)
      // Here somebody may be killed: one half is written.
      if (amount === 7) await sleep(3)
      await this.#database.transaction(async () => setCoins(payee, (await coinsOf(payee)) + amount))
    }, settingsOf(kind))
  }

  sell(sale: Sale): Promise<number> {
    return sale.kind === 'statement' || sale.kind === 'secured' ? this.#sellAtOnce(sale) : this.#sellInSteps(sale)
  }

  #sellInSteps({ id: name, kind, product }: Sale): Promise<number> {
    const forUpdate = kind === 'locks' ? sql` for update` : sql.empty
    return this.#database.transaction(async () => {
      this.#database.afterCommit(() => void this.announced.push(name))
      const stock = await this.#database.one(
        sql`select stock from products where id = ${product}${forUpdate}`,
        (row: { readonly stock: number }) => row.stock,
      )
      if (stock < 1) throw soldOut()
      await Promise.all([
        this.#database.execute(sql`update products set stock = ${stock - 1} where id = ${product}`),
        this.#database.execute(sql`insert into sales (id, product, piece) values (${name}, ${product}, ${stock})`),
      ])
      return stock
    }, settingsOf(kind))
  }

  /** One statement, which is a transaction by itself. */
  async #sellAtOnce({ id: name, kind, product }: Sale): Promise<number> {
    const database = kind === 'secured' ? this.#database.rowSecured : this.#database
    const piece = await database.maybeOne(
      sql`
        with taken as (
          update products set stock = stock - 1 where id = ${product} and stock > 0 returning stock + 1 as piece
        ) insert into sales (id, product, piece) select ${name}, ${product}, piece from taken returning piece`,
      (row: { readonly piece: number }) => row.piece,
    )
    if (piece === undefined) throw soldOut()
    this.announced.push(name)
    return piece
  }
}

const soldOut = (): ConflictError => new ConflictError('ledger.sold_out', 'There is none left.')

/**
 * @param defects - what went wrong in the process beyond what it answers
 */
export function ledgerRoutes(database: Database, defects: readonly string[]): readonly Route[] {
  const ledger = new Ledger(database)
  const one = z.object({ value: z.number() })
  return [
    post('/transfers', { access: 'public', body: Transfer, reply: { 201: one } }, async ({ body }) => {
      await ledger.transfer(body)
      return created(`/transfers/${body.id}`, { value: body.amount })
    }),
    post('/sales', { access: 'public', body: Sale, reply: { 201: one } }, async ({ body }) =>
      created(`/sales/${body.id}`, { value: await ledger.sell(body) }),
    ),
    get('/report', { access: 'public', reply: { 200: Report } }, () =>
      ok({ pools: { ...database.stats().pools }, defects: [...defects], announced: [...ledger.announced] }),
    ),
  ]
}
