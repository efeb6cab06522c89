import { z } from 'zod'

type Def = Record<string, unknown>

/**
 * A copy of a schema in which each object that does not say what becomes of unknown keys refuses them, at any depth.
 * `z.looseObject`, `z.strictObject` and `.catchall()` have said it and stay as they are. What lies behind a transform is
 * left alone, because it is checked against what the transform made and not against what was sent.
 */
export function closeObjects(
  schema: z.core.$ZodType,
  seen: Map<z.core.$ZodType, z.core.$ZodType> = new Map(),
): z.core.$ZodType {
  const known = seen.get(schema)
  if (known !== undefined) return known
  const def = schema._zod.def as unknown as Def
  const closed = closeDef(schema, def, (inner) => closeObjects(inner, seen))
  const result = closed === def ? schema : z.core.clone(schema, closed as never)
  seen.set(schema, result)
  return result
}

function closeDef(schema: z.core.$ZodType, def: Def, close: (schema: z.core.$ZodType) => z.core.$ZodType): Def {
  const one = (key: string): Def => ({ ...def, [key]: close(def[key] as z.core.$ZodType) })
  const each = (key: string): Def => ({ ...def, [key]: (def[key] as z.core.$ZodType[]).map(close) })
  switch (def['type']) {
    case 'object': {
      const catchall = def['catchall'] ?? z.never()
      const closeShape = (): object => {
        const members = Object.entries(def['shape'] as Record<string, z.core.$ZodType>)
        return Object.fromEntries(members.map(([key, member]) => [key, close(member)]))
      }
      // `z.compile` takes an accessor for a cycle and gives the schema back as it was.
      if (!z.core.isRecursiveSchema(schema)) return { ...def, shape: closeShape(), catchall }
      return {
        ...def,
        // On first use: the members of a recursive schema are getters that lead back here.
        get shape() {
          return closeShape()
        },
        catchall,
      }
    }
    case 'array':
      return one('element')
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
    case 'success':
      return one('innerType')
    case 'union':
      return each('options')
    case 'tuple':
      return { ...each('items'), rest: def['rest'] ? close(def['rest'] as z.core.$ZodType) : def['rest'] }
    case 'record':
    case 'map':
    case 'set':
      return one('valueType')
    case 'intersection':
      return { ...one('left'), right: close(def['right'] as z.core.$ZodType) }
    case 'pipe':
      return one('in')
    case 'lazy': {
      const getter = def['getter'] as () => z.core.$ZodType
      return { ...def, getter: () => close(getter()) }
    }
    default:
      return def
  }
}
