import { ok, type Principal } from 'holdfast/http'
import type { SalesQuery } from './reports.schema.ts'
import type { ReportsService } from './reports.service.ts'

export class ReportsController {
  readonly #reports: ReportsService

  constructor(reports: ReportsService) {
    this.#reports = reports
  }

  async sales({ principal, query }: { readonly principal: Principal; readonly query: SalesQuery }) {
    return ok(await this.#reports.sales(principal, query))
  }
}
