// What every contender serves, so that they differ in nothing but how they talk to PostgreSQL and what stands around it.
import { z } from 'zod'

export const database = process.env['BENCH_DATABASE'] as string
/** 10, unless a question has more in flight and asks nothing of who waits. */
export const poolSize = Number(process.env['BENCH_POOL'] ?? 10)
/** Longer than the others' turns, or everybody would connect anew at the beginning of each of theirs. */
export const idleTimeoutMs = 3_600_000

const id = z.int().min(1)
const cents = z.int()

export const WalletId = z.object({ id: z.coerce.number().int().min(1).max(1_000_000) })

export const Wallet = z.object({
  id,
  accountId: z.uuid(),
  name: z.string(),
  description: z.string(),
  currency: z.string(),
  balanceCents: cents,
  tags: z.array(z.string()),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type Wallet = z.infer<typeof Wallet>

export const NewEntry = z.object({ amountCents: cents.min(1).max(1_000_000), note: z.string().max(200) })
export type NewEntry = z.infer<typeof NewEntry>

export const Entry = NewEntry.extend({ id, walletId: id, balanceCents: cents, createdAt: z.iso.datetime() })
export type Entry = z.infer<typeof Entry>

const Item = z.object({ productId: id, quantity: z.int().min(1).max(100) })
export type Item = z.infer<typeof Item>

export const NewOrder = z.object({
  items: z
    .array(Item)
    .min(1)
    .max(50)
    .refine(
      (items) => new Set(items.map(({ productId }) => productId)).size === items.length,
      'Name each product once, with how many of it you want',
    ),
})
export type NewOrder = z.infer<typeof NewOrder>

const Line = Item.extend({ sku: z.string(), name: z.string(), priceCents: cents })
export type Line = z.infer<typeof Line>

export const Order = z.object({
  id,
  status: z.string(),
  totalCents: cents,
  lines: z.array(Line),
  createdAt: z.iso.datetime(),
})
export type Order = z.infer<typeof Order>

/** What a row of `wallets` becomes. */
export const toWallet = (row: WalletRow): Wallet => ({
  id: row.id,
  accountId: row.account_id,
  name: row.name,
  description: row.description,
  currency: row.currency,
  balanceCents: row.balance_cents,
  tags: [...row.tags],
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})
export interface WalletRow {
  readonly id: number
  readonly account_id: string
  readonly name: string
  readonly description: string
  readonly currency: string
  readonly balance_cents: number
  readonly tags: readonly string[]
  readonly created_at: Date
  readonly updated_at: Date
}

export interface ProductRow {
  readonly id: number
  readonly sku: string
  readonly name: string
  readonly price_cents: number
  readonly stock: number
}

/** Prices are those of the database. */
export const toLine = (row: ProductRow, quantity: number): Line => ({
  productId: row.id,
  quantity,
  sku: row.sku,
  name: row.name,
  priceCents: row.price_cents,
})

export const totalOf = (lines: readonly Line[]): number =>
  lines.reduce((sum, { priceCents, quantity }) => sum + priceCents * quantity, 0)

/** More than a wallet may hold. */
export const isTooMuch = (balanceCents: number): boolean => balanceCents > 2_000_000_000
