import { z } from 'zod'

const dayMs = 86_400_000
const mostDays = 366

const day = z.iso.date().refine((text) => text >= '2000-01-01', 'There are no reports of days before 2000')

/** Both days are part of it, in UTC. */
export const SalesQuery = z
  .object({ from: day, to: day, top: z.coerce.number().int().min(1).max(20).default(10) })
  .refine(({ from, to }) => from <= to, { path: ['to'], message: 'The last day is before the first one' })
  .refine(({ from, to }) => Date.parse(to) - Date.parse(from) < mostDays * dayMs, {
    path: ['to'],
    message: `Ask for ${mostDays} days at most`,
  })
export type SalesQuery = z.infer<typeof SalesQuery>

/** What sold best on one day. */
export const Sales = z.object({
  day: z.iso.date(),
  rank: z.int().min(1),
  productId: z.uuid(),
  sku: z.string(),
  name: z.string(),
  pieces: z.int().min(1),
  revenueCents: z.int().min(0),
  /** Of all that was sold on this day, 0–1. */
  shareOfDay: z.number().min(0).max(1),
  /** Of this product, from the first day asked for. */
  revenueSoFarCents: z.int().min(0),
})
export type Sales = z.infer<typeof Sales>
