/** Who answers requests: one framework each, chosen by requirement. */
export const edges = {
  fastify: 'throughput',
  express: 'breadth of the ecosystem',
} as const
export type EdgeName = keyof typeof edges

export const isEdgeName = (text: string): text is EdgeName => Object.hasOwn(edges, text)

/** A folder of templates. Layers only add files: no layer edits what another one brought. */
export type LayerName = 'base' | `edge-${EdgeName}` | 'store-postgres'

export const layersFor = (edge: EdgeName): readonly LayerName[] => ['base', `edge-${edge}`, 'store-postgres']

/** What `base` imports and does not bring. Exactly one of the other layers fills each. */
export const slots: readonly string[] = [
  'src/edge.ts',
  'src/migrate.ts',
  'src/modules/accounts/accounts.repository.ts',
  'src/modules/accounts/audit.repository.ts',
  'src/modules/catalog/catalog.repository.ts',
  'src/platform/database.ts',
  'src/platform/store-config.ts',
  'test/database.ts',
]
