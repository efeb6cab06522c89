import type { Rule } from 'eslint'
import { type FloorPlan, holdfastPlan, pathInHouse, refuseImport, refusePlace } from '../floor-plan.ts'
import { moduleNameVisitor } from '../module-names.ts'

/** Keeps imports pointing down the floors of a package. Options: a partial {@link FloorPlan}; what is left out is Holdfast's own. */
export const floors: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: {
      description: 'Imports point down the floors or stay in their folder; each package is named in one folder.',
    },
    messages: { refused: '{{reason}}' },
    schema: [
      {
        type: 'object',
        additionalProperties: false,
        properties: {
          root: { type: 'string' },
          packageName: { type: 'string' },
          floors: {
            type: 'array',
            minItems: 1,
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['name', 'folders'],
              properties: {
                name: { type: 'string' },
                folders: { type: 'array', minItems: 1, items: { type: 'string' } },
                composers: { type: 'array', items: { type: 'string' } },
                shared: { type: 'array', items: { type: 'string' } },
                bare: { type: 'boolean' },
                sealed: { type: 'boolean' },
              },
            },
          },
          packages: { type: 'object', additionalProperties: { type: 'string' } },
        },
      },
    ],
  },

  create(context) {
    const plan: FloorPlan = { ...holdfastPlan, ...(context.options[0] as Partial<FloorPlan> | undefined) }
    const path = pathInHouse(plan, context.filename)
    // Tests put the house together from all sides; they are not part of it.
    if (path === undefined || /\.test\.\w+$/.test(path)) return {}

    const report = (node: Rule.Node, reason: string | undefined) => {
      if (reason !== undefined) context.report({ node, messageId: 'refused', data: { reason } })
    }
    return {
      Program: (node) => report(node as Rule.Node, refusePlace(plan, path)),
      ...moduleNameVisitor(({ node, name }) => report(node, refuseImport(plan, path, name))),
    }
  },
}
