import { get } from 'holdfast/http'
import { z } from 'zod'
import type { ReportsController } from './reports.controller.ts'
import { Sales, SalesQuery } from './reports.schema.ts'
import { analyst } from './reports.service.ts'

/** Reports take long, so they have their own pool and their own time: they wait for each other, and nobody for them. */
export const reportsRoutes = (reports: ReportsController, timeoutMs: number) => [
  get(
    '/reports/sales',
    { access: analyst, isolation: 'reporting', timeoutMs, query: SalesQuery, reply: { 200: z.array(Sales) } },
    (call) => reports.sales(call),
  ),
]
