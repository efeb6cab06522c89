/** Who answers requests: one framework each, chosen by requirement. */
export const edges = {
  fastify: 'throughput',
  express: 'breadth of the ecosystem',
} as const
export type EdgeName = keyof typeof edges

export const isEdgeName = (text: string): text is EdgeName => Object.hasOwn(edges, text)

/** Where data lives: one database each. Services, controllers and routes are the same for all of them. */
export const stores = {
  postgres: 'rows; development needs no server',
  mongodb: 'documents; needs a replica set, and Redis for sessions',
} as const
export type StoreName = keyof typeof stores

export const isStoreName = (text: string): text is StoreName => Object.hasOwn(stores, text)

/** A folder of templates. Layers only add files: no layer edits what another one brought. */
export type LayerName = 'base' | `edge-${EdgeName}` | `store-${StoreName}`

export interface Variant {
  readonly edge: EdgeName
  readonly store: StoreName
}

export const defaults: Variant = { edge: 'fastify', store: 'postgres' }

export const layersFor = ({ edge, store }: Variant): readonly LayerName[] => ['base', `edge-${edge}`, `store-${store}`]

/** What `base` needs and does not bring. Exactly one of the other layers fills each. */
export const slots: readonly string[] = [
  '.dockerignore',
  'Dockerfile',
  'src/edge.ts',
  'src/migrate.ts',
  'src/modules/accounts/accounts.repository.ts',
  'src/modules/accounts/audit.repository.ts',
  'src/modules/catalog/catalog.repository.ts',
  'src/modules/orders/orders.repository.ts',
  'src/modules/reports/reports.repository.ts',
  'src/platform/database.ts',
  'src/platform/outbox.ts',
  'src/platform/store-config.ts',
  'test/database.ts',
]
