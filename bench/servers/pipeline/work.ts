// What every contender serves, so that they differ in nothing but what stands around it.
import { z } from 'zod'

export { Item, ItemParams, ItemQuery, ping, port, toItem } from '../work.ts'

const Address = z.object({
  street: z.string().min(1).max(120),
  postalCode: z.string().min(3).max(12),
  city: z.string().min(1).max(80),
  country: z.string().length(2),
})

const Line = z.object({
  sku: z.string().min(1).max(40),
  quantity: z.int().min(1).max(100),
  priceCents: z.int().min(0),
  options: z.array(z.object({ name: z.string().max(40), value: z.string().max(80) })).max(10),
})

export const NewOrder = z.object({
  customer: z.object({ name: z.string().min(1).max(120), email: z.email(), address: Address }),
  currency: z.enum(['EUR', 'USD']),
  note: z.string().max(500).optional(),
  lines: z.array(Line).min(1).max(50),
})
export type NewOrder = z.infer<typeof NewOrder>

export const Order = NewOrder.extend({ id: z.int(), totalCents: z.int() })

export const toOrder = (order: NewOrder): z.infer<typeof Order> => ({
  ...order,
  id: 7,
  totalCents: order.lines.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0),
})
