import type { Database } from '../../platform/database.ts'
import { ReportsController } from './reports.controller.ts'
import { createReportsRepository } from './reports.repository.ts'
import { reportsRoutes } from './reports.routes.ts'
import { ReportsService } from './reports.service.ts'

export interface ReportsNeeds {
  readonly database: Database
  /** Milliseconds until a report is given up. */
  readonly timeoutMs: number
}

export function createReports({ database, timeoutMs }: ReportsNeeds) {
  const service = new ReportsService(createReportsRepository(database))
  return { service, routes: reportsRoutes(new ReportsController(service), timeoutMs) }
}
