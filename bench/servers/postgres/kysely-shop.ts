import type { Generated, Kysely } from 'kysely'
import { sql } from 'kysely'
import { type Entry, isTooMuch, toWallet, type Wallet, type WalletRow } from '../data/work.ts'
import { account, entry } from './client-work.ts'

export interface Tables {
  readonly wallets: WalletRow
  readonly entries: {
    readonly id: Generated<number>
    readonly wallet_id: number
    readonly account_id: string
    readonly amount_cents: number
    readonly note: string
    readonly created_at: Generated<Date>
  }
}

const columns = [
  'id',
  'account_id',
  'name',
  'description',
  'currency',
  'balance_cents',
  'tags',
  'created_at',
  'updated_at',
] as const

export async function find(db: Kysely<Tables>, id: number): Promise<Wallet> {
  const row = await db.selectFrom('wallets').select(columns).where('id', '=', id).executeTakeFirst()
  if (row?.account_id !== account) throw new Error(`There is no wallet ${id}.`)
  return toWallet(row)
}

/** In a transaction. */
export async function deposit(db: Kysely<Tables>, id: number): Promise<Entry> {
  const wallet = await db
    .selectFrom('wallets')
    .select(['account_id', 'balance_cents'])
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (wallet?.account_id !== account) throw new Error(`There is no wallet ${id}.`)
  const balanceCents = wallet.balance_cents + entry.amountCents
  if (isTooMuch(balanceCents)) throw new Error(`Wallet ${id} holds too much.`)
  await db
    .updateTable('wallets')
    .set({ balance_cents: balanceCents, updated_at: sql`now()` })
    .where('id', '=', id)
    .execute()
  const entered = await db
    .insertInto('entries')
    .values({ wallet_id: id, account_id: account, amount_cents: entry.amountCents, note: entry.note })
    .returning(['id', 'created_at'])
    .executeTakeFirstOrThrow()
  return { id: entered.id, walletId: id, ...entry, balanceCents, createdAt: entered.created_at.toISOString() }
}
