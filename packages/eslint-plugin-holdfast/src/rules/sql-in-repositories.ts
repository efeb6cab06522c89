import type { Rule } from 'eslint'
import { isAmong } from '../file-patterns.ts'
import { moduleNameVisitor } from '../module-names.ts'
import type { SyntaxNode } from '../syntax.ts'

interface Options {
  /** Where queries may be written. */
  readonly files?: readonly string[]
  /** Module → the names of it that write queries, or `true` for all of it. */
  readonly modules?: Readonly<Record<string, true | readonly string[]>>
}

const defaultFiles = ['*.repository.*', 'platform/**', 'migrations/**', 'test/**', 'tests/**', '*.test.*']

const defaultModules: NonNullable<Options['modules']> = {
  'holdfast/postgres': ['sql', 'isSqlQuery', 'SqlQuery', 'keyset'],
  'holdfast/kysely': true,
  'holdfast/mongo': ['ModelOf', 'MongoQueries', 'MongoQuery'],
  kysely: true,
  mongodb: true,
  mongoose: true,
  pg: true,
  'pg-promise': true,
  postgres: true,
}

// What a file does instead, by the last word before its extension.
const roles: Readonly<Record<string, string>> = {
  controller: 'A controller hands one call to its service.',
  service: 'A service asks its repository, by methods named for what the rules need.',
  routes: 'Routes are a table of paths, access and shapes.',
  schema: 'A schema says what may come in and what may leave.',
  module: 'A module gives its repository the database and its service the repository.',
}

/** Keeps SQL, and drivers of databases, in repositories and in the platform below them. */
export const sqlInRepositories: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'Queries are written in repositories, so that there is one place to review and to replace.' },
    messages: { misplaced: '{{what}} belongs in a repository. {{role}}Move the query to {{repository}}.' },
    schema: [
      {
        type: 'object',
        additionalProperties: false,
        properties: {
          files: { type: 'array', items: { type: 'string' } },
          modules: {
            type: 'object',
            additionalProperties: { anyOf: [{ const: true }, { type: 'array', items: { type: 'string' } }] },
          },
        },
      },
    ],
  },

  create(context) {
    const { files = defaultFiles, modules = defaultModules } = (context.options[0] ?? {}) as Options
    if (isAmong(context.filename, files)) return {}

    const report = (node: unknown, what: string): void =>
      context.report({ node: node as Rule.Node, messageId: 'misplaced', data: { what, ...placeFor(context.filename) } })

    return moduleNameVisitor(({ node, name }) => {
      const guarded = name === undefined ? undefined : guardedNames(modules, name)
      if (name === undefined || guarded === undefined) return
      if (guarded === true) return report(node, `'${name}'`)
      const taken = takenNames((node as unknown as SyntaxNode).parent)
      const misplaced = taken.find((one) => one === '*' || guarded.includes(one))
      if (misplaced !== undefined)
        report(node, misplaced === '*' ? `All of '${name}'` : `\`${misplaced}\` of '${name}'`)
    })
  },
}

/** Of a subpath such as `pg/lib/client` whatever its package is given. */
function guardedNames(modules: NonNullable<Options['modules']>, name: string): true | readonly string[] | undefined {
  const home = Object.keys(modules).find((module) => name === module || name.startsWith(`${module}/`))
  return home === undefined ? undefined : modules[home]
}

interface Specifier extends SyntaxNode {
  readonly local?: SyntaxNode
}

/** The names an import or export takes of a module; `*` for all, which is also what `import()` gives. */
function takenNames(declaration: SyntaxNode | null | undefined): readonly string[] {
  const { type, specifiers } = (declaration ?? { type: '' }) as SyntaxNode & {
    readonly specifiers?: readonly Specifier[]
  }
  if (type !== 'ImportDeclaration' && type !== 'ExportNamedDeclaration') return ['*']
  return (specifiers ?? []).map((specifier) => {
    if (specifier.type === 'ImportNamespaceSpecifier' || specifier.type === 'ImportDefaultSpecifier') return '*'
    const theirs = specifier.imported ?? specifier.local
    return String(theirs?.name ?? theirs?.value)
  })
}

function placeFor(filename: string): { readonly role: string; readonly repository: string } {
  const file = filename.replaceAll('\\', '/').split('/').at(-1) ?? ''
  const [feature = '', ...rest] = file.split('.')
  const role = rest.length > 1 ? roles[rest[0] ?? ''] : undefined
  const isFeature = role !== undefined
  return {
    role: role === undefined ? '' : `${role} `,
    repository: isFeature
      ? `${feature}.repository.${rest.at(-1)}`
      : 'a file that ends in .repository.ts, or to platform/',
  }
}
