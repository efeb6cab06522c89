// What every contender answers, so that they differ in nothing but what stands around it.
import { z } from 'zod'
import { answerBench } from './answer-bench.ts'

export const ping = { status: 'ok', service: 'bench', version: '1.0.0' }
export const Ping = z.object({ status: z.string(), service: z.string(), version: z.string() })

export const ItemParams = z.object({ id: z.coerce.number().int().min(1).max(1_000_000) })
export const ItemQuery = z.object({
  currency: z.enum(['EUR', 'USD']).default('EUR'),
  q: z.string().max(200).optional(),
})
export const Item = z.object({
  id: z.int(),
  name: z.string(),
  description: z.string(),
  priceCents: z.int(),
  currency: z.enum(['EUR', 'USD']),
  tags: z.array(z.string()),
  createdAt: z.iso.datetime(),
})
export type Item = z.infer<typeof Item>

export const toItem = (id: number, currency: 'EUR' | 'USD'): Item => ({
  id,
  name: `Item number ${id}`,
  description: `A reasonably long description of item ${id}, as a catalogue would carry it.`,
  priceCents: 1000 + id,
  currency,
  tags: ['catalogue', `group-${id % 13}`],
  createdAt: '2026-01-01T00:00:00.000Z',
})

export const NewItem = z.object({
  name: z.string().min(1).max(120),
  description: z.string().max(2000),
  currency: z.enum(['EUR', 'USD']),
  priceCents: z.int().min(0),
  tags: z.array(z.string().min(1).max(30)).max(20),
})

export const port = Number(process.env['PORT'])

// Here, because each contender starts with this file.
answerBench()
