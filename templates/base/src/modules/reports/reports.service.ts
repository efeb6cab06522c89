import { assertCan, permission, type Principal } from 'holdfast/http'
import type { ReportsRepository } from './reports.repository.ts'
import type { Sales, SalesQuery } from './reports.schema.ts'

export const analyst = permission('reports:read')

export class ReportsService {
  readonly #reports: ReportsRepository

  constructor(reports: ReportsRepository) {
    this.#reports = reports
  }

  /** What sold best on each day, the last day first. What was cancelled was not sold. */
  async sales(principal: Principal, query: SalesQuery): Promise<Sales[]> {
    assertCan(principal, analyst)
    return await this.#reports.sales(query)
  }
}
