import type { Rule, Scope } from 'eslint'

// The parsers of ESLint and oxlint agree on these shapes; ESTree's types know only the JavaScript half of them.
export interface SyntaxNode {
  readonly type: string
  readonly parent?: SyntaxNode | null
  readonly value?: unknown
  readonly name?: unknown
  readonly computed?: boolean
  readonly operator?: string
  readonly kind?: string
  readonly key?: SyntaxNode
  readonly id?: SyntaxNode | null
  readonly init?: SyntaxNode | null
  readonly left?: SyntaxNode
  readonly right?: SyntaxNode
  readonly tag?: SyntaxNode
  readonly quasi?: SyntaxNode
  readonly object?: SyntaxNode
  readonly property?: SyntaxNode
  readonly expression?: SyntaxNode
  readonly callee?: SyntaxNode
  readonly imported?: SyntaxNode
  readonly source?: SyntaxNode
  readonly arguments?: readonly SyntaxNode[]
  readonly elements?: readonly (SyntaxNode | null)[]
  readonly properties?: readonly SyntaxNode[]
  readonly expressions?: readonly SyntaxNode[]
  readonly quasis?: readonly { readonly value: { readonly cooked?: string | null; readonly raw: string } }[]
}

const wrappers: ReadonlySet<string> = new Set([
  'ChainExpression',
  'ParenthesizedExpression',
  'TSAsExpression',
  'TSInstantiationExpression',
  'TSNonNullExpression',
  'TSSatisfiesExpression',
  'TSTypeAssertion',
])

/** What stands inside parentheses, `as`, `!` and the like. */
export function unwrap(node: SyntaxNode | null | undefined): SyntaxNode | undefined {
  let inner = node ?? undefined
  while (inner !== undefined && wrappers.has(inner.type)) inner = inner.expression
  return inner
}

/** The name behind the last dot of a member, or of an identifier itself. */
export function lastName(node: SyntaxNode | undefined): string | undefined {
  const inner = unwrap(node)
  if (inner?.type === 'Identifier') return String(inner.name)
  if (inner?.type !== 'MemberExpression') return undefined
  if (inner.computed !== true) return String(inner.property?.name)
  return typeof inner.property?.value === 'string' ? inner.property.value : undefined
}

/** Where an identifier gets its value, if its file says so in one place. */
export function definitionOf(context: Rule.RuleContext, node: SyntaxNode | undefined): Scope.Definition | undefined {
  if (node?.type !== 'Identifier') return undefined
  for (
    let scope: Scope.Scope | null = context.sourceCode.getScope(node as never);
    scope !== null;
    scope = scope.upper
  ) {
    const variable = scope.set.get(String(node.name))
    if (variable !== undefined) return variable.defs.length === 1 ? variable.defs[0] : undefined
  }
  return undefined
}

/** The module and the name there that an imported identifier stands for; `*` for all of it. */
export function importOf(
  context: Rule.RuleContext,
  node: SyntaxNode | undefined,
): { readonly module: string; readonly name: string } | undefined {
  const definition = definitionOf(context, unwrap(node))
  if (definition?.type !== 'ImportBinding') return undefined
  const specifier = definition.node as unknown as SyntaxNode
  const module = String((definition.parent as unknown as SyntaxNode).source?.value)
  if (specifier.type === 'ImportNamespaceSpecifier') return { module, name: '*' }
  if (specifier.type === 'ImportDefaultSpecifier') return { module, name: 'default' }
  return { module, name: String(specifier.imported?.name ?? specifier.imported?.value) }
}

/** A tag that keeps values apart: `sql`, `db.sql`, or the `sql` of a module under another name. */
export function isSqlTag(context: Rule.RuleContext, tag: SyntaxNode | undefined): boolean {
  return lastName(tag)?.toLowerCase() === 'sql' || importOf(context, tag)?.name === 'sql'
}
