import type { Database } from '../../platform/database.ts'
import { CatalogController } from './catalog.controller.ts'
import { createCatalogRepository } from './catalog.repository.ts'
import { catalogRoutes } from './catalog.routes.ts'
import { CatalogService } from './catalog.service.ts'

export type { CatalogService, Item, Lack, Reservation } from './catalog.service.ts'

export interface CatalogNeeds {
  readonly database: Database
}

export function createCatalog({ database }: CatalogNeeds) {
  const service = new CatalogService(createCatalogRepository(database))
  return { service, routes: catalogRoutes(new CatalogController(service)) }
}
