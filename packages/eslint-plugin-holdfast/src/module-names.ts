import type { Rule } from 'eslint'

/** A place where a file names another module: the node to underline, and the name if it is written out. */
export interface ModuleName {
  readonly node: Rule.Node
  /** `undefined` when the name is computed, as in `import(name)`, so that no reader can tell what is loaded. */
  readonly name: string | undefined
}

// The parsers of ESLint and oxlint agree on these shapes; ESTree's types know only the JavaScript half of them.
interface SyntaxNode {
  readonly type: string
  readonly value?: unknown
  readonly name?: unknown
  readonly object?: SyntaxNode
  readonly property?: SyntaxNode
  readonly source?: SyntaxNode | null
  readonly argument?: SyntaxNode
  readonly literal?: SyntaxNode
  readonly expression?: SyntaxNode
  readonly id?: SyntaxNode
  readonly callee?: SyntaxNode
  readonly arguments?: readonly SyntaxNode[]
  readonly expressions?: readonly SyntaxNode[]
  readonly quasis?: readonly { readonly value: { readonly cooked?: string | null } }[]
}

/**
 * Visits every way in which JavaScript and TypeScript name a module: `import`, `export … from`, `import()`, `require`,
 * `require.resolve`, `import x = require()`, the type `import('x').Y`, and `declare module 'x'`.
 * Type imports count: a type from above ties two files together just as a value does.
 */
export function moduleNameVisitor(visit: (found: ModuleName) => void): Rule.RuleListener {
  const report = (node: SyntaxNode | null | undefined) => {
    if (node) visit({ node: node as unknown as Rule.Node, name: writtenText(node) })
  }
  const fromSource = (node: unknown) => report((node as SyntaxNode).source)

  return {
    ImportDeclaration: fromSource,
    ExportNamedDeclaration: fromSource,
    ExportAllDeclaration: fromSource,
    ImportExpression: fromSource,
    CallExpression(node) {
      const call = node as unknown as SyntaxNode
      if (isRequire(call.callee)) report(call.arguments?.[0])
    },
    TSExternalModuleReference: (node: unknown) => report((node as SyntaxNode).expression),
    TSImportType(node: unknown) {
      const type = node as SyntaxNode
      const named = type.source ?? type.argument
      report(named?.type === 'TSLiteralType' ? named.literal : named)
    },
    TSModuleDeclaration(node: unknown) {
      const { id } = node as SyntaxNode
      if (id?.type === 'Literal') report(id)
    },
  }
}

function isRequire(callee: SyntaxNode | undefined): boolean {
  if (callee?.type === 'MemberExpression') return isRequire(callee.object) && callee.property?.name === 'resolve'
  return callee?.type === 'Identifier' && callee.name === 'require'
}

function writtenText(node: SyntaxNode): string | undefined {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node.type === 'TemplateLiteral' && node.expressions?.length === 0)
    return node.quasis?.[0]?.value.cooked ?? undefined
  return undefined
}
