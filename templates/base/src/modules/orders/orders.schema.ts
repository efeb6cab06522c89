import { z } from 'zod'
import { pageQuery } from '../../platform/paging.ts'

// In one spelling, for all that compare ids as texts.
const productId = z.uuid().toLowerCase()
const quantity = z.int().min(1).max(100)
const cents = z.int().min(0)

const Items = z
  .array(z.object({ productId, quantity }))
  .min(1)
  .max(50)
  .refine(
    (items) => new Set(items.map((item) => item.productId)).size === items.length,
    'Name each product once, with how many of it you want',
  )

/** What is wanted, and how much of it. What it costs is for the catalog to say. */
export const NewOrder = z.object({ items: Items })
export type NewOrder = z.infer<typeof NewOrder>

export const OrderId = z.object({ id: z.uuid().toLowerCase() })
export type OrderId = z.infer<typeof OrderId>

export const OrderQuery = z.object(pageQuery)
export type OrderQuery = z.infer<typeof OrderQuery>

/** As it was when it was ordered: products change, orders do not. */
export const OrderLine = z.object({
  productId: z.uuid(),
  sku: z.string(),
  name: z.string(),
  priceCents: cents,
  quantity,
})
export type OrderLine = z.infer<typeof OrderLine>

export const Order = z.object({
  id: z.uuid(),
  accountId: z.uuid(),
  status: z.enum(['placed', 'cancelled', 'shipped']),
  totalCents: cents,
  lines: z.array(OrderLine),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
})
export type Order = z.infer<typeof Order>

export const OrderSummary = Order.omit({ lines: true })
export type OrderSummary = z.infer<typeof OrderSummary>
