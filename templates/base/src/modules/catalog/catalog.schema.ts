import { z } from 'zod'
import { pageQuery } from '../../platform/paging.ts'

const sku = z.string().regex(/^[A-Z0-9][A-Z0-9-]{0,39}$/, 'An SKU is 1–40 characters of A–Z, 0–9 and hyphens')
const name = z.string().trim().min(1).max(200)
const priceCents = z.int().min(0).max(100_000_000)
const stock = z.int().min(0).max(1_000_000_000)
const version = z.int().min(1).max(2_147_483_647)
const status = z.enum(['active', 'archived'])

export const Product = z.object({
  id: z.uuid(),
  sku,
  name,
  priceCents,
  // What is given back may lead beyond what may be sent.
  stock: z.int().min(0),
  status,
  version,
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type Product = z.infer<typeof Product>

/** In one spelling, for all that compare ids as texts. */
export const ProductId = z.object({ id: z.uuid().toLowerCase() })
export type ProductId = z.infer<typeof ProductId>

export const NewProduct = z.object({ sku, name, priceCents, stock: stock.default(0) })
export type NewProduct = z.infer<typeof NewProduct>

export const ProductChange = z
  .object({ version, name: name.optional(), priceCents: priceCents.optional(), stock: stock.optional() })
  .refine(
    (change) => [change.name, change.priceCents, change.stock].some((value) => value !== undefined),
    'Change name, priceCents, stock or several of them',
  )
export type ProductChange = z.infer<typeof ProductChange>

export const ProductQuery = z.object({ ...pageQuery, status: status.optional() })
export type ProductQuery = z.infer<typeof ProductQuery>
