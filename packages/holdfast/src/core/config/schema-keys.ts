interface SchemaNode {
  readonly shape?: unknown
  readonly entries?: unknown
  readonly description?: unknown
  readonly in?: unknown
  readonly innerType?: unknown
  readonly def?: unknown
}

/**
 * The settings an object schema names, each with its description if it has one. Standard Schema has no word for
 * either, so this knows the two shapes in use: `shape` (Zod, also below refinements and pipes) and `entries` (Valibot).
 * `undefined` when it finds neither.
 */
export function keysOf(schema: unknown): ReadonlyMap<string, string | undefined> | undefined {
  for (const node of wrappedIn(schema)) {
    const fields = asNode(node.shape) ?? asNode(node.entries)
    if (fields) return new Map(Object.entries(fields).map(([key, field]) => [key, descriptionOf(field)]))
  }
  return undefined
}

/** `.default()`, `.optional()` and pipes wrap a field without taking its description along. */
function descriptionOf(field: unknown): string | undefined {
  for (const node of wrappedIn(field)) if (typeof node.description === 'string') return node.description
  return undefined
}

function* wrappedIn(schema: unknown): Generator<SchemaNode> {
  let node = asNode(schema)
  // Nobody wraps this deep; a schema that contains itself must not hang the start.
  for (let depth = 0; node && depth < 32; depth++) {
    yield node
    const def = asNode(node.def)
    node = asNode(node.in) ?? asNode(def?.in) ?? asNode(def?.innerType)
  }
}

function asNode(value: unknown): SchemaNode | undefined {
  return typeof value === 'object' && value !== null ? value : undefined
}
