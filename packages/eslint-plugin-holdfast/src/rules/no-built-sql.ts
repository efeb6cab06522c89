import type { Rule } from 'eslint'
import { writtenText } from '../built-text.ts'
import { beginsLikeSql, readsLikeSql } from '../sql-text.ts'
import { definitionOf, importOf, isSqlTag, lastName, unwrap } from '../syntax.ts'
import type { SyntaxNode } from '../syntax.ts'

interface Options {
  /** Methods that send their first argument to a database. */
  readonly methods?: readonly string[]
  /** Modules whose `sql` is a tag and nothing else. */
  readonly tagModules?: readonly string[]
}

const defaultMethods = ['query', 'execute', 'many', 'one', 'maybeOne']
const defaultTagModules = ['holdfast/postgres']
// Whatever these get is SQL, and nobody escapes it.
const rawMethods: ReadonlySet<string> = new Set(['$queryRawUnsafe', '$executeRawUnsafe', 'raw', 'unsafe'])
const mayBeText: ReadonlySet<string> = new Set([
  'CallExpression',
  'ConditionalExpression',
  'Identifier',
  'LogicalExpression',
  'MemberExpression',
])
const rawOwners = /^(sql|prisma|knex|kysely|db|database|pool|client|trx|tx|connection)$/i

const way =
  'Write it with the `sql` tag, which sends values apart: sql`… where id = ${id}`; for names that are decided at run time take sql.identifier, sql.order or sql.changes.'

/** Refuses SQL that is put together from strings, where a value may become SQL. */
export const noBuiltSql: Rule.RuleModule = {
  meta: {
    type: 'problem',
    docs: { description: 'SQL is written with the `sql` tag, never put together from strings.' },
    messages: {
      built: `This SQL is built from strings, so a value may become SQL. ${way}`,
      passed: `{{method}}() gets SQL that is built from strings, so a value may become SQL. ${way}`,
      raw: `{{method}}() sends text as it is, and this one is not written out here. ${way}`,
      called: 'sql is a template tag. Called as a function it would take any text for SQL; write sql`…`.',
      faked:
        'This sql is a function of this file, and nobody vouches for what it does with values. Import the tag that does.',
    },
    schema: [
      {
        type: 'object',
        additionalProperties: false,
        properties: {
          methods: { type: 'array', items: { type: 'string' } },
          tagModules: { type: 'array', items: { type: 'string' } },
        },
      },
    ],
  },

  create(context) {
    const { methods = defaultMethods, tagModules = defaultTagModules } = (context.options[0] ?? {}) as Options
    const reported = new Set<SyntaxNode>()

    const report = (node: SyntaxNode, messageId: string, data: Record<string, string> = {}): void => {
      // A part of what is reported already.
      for (let at: SyntaxNode | null | undefined = node; at; at = at.parent) if (reported.has(at)) return
      reported.add(node)
      context.report({ node: node as unknown as Rule.Node, messageId, data })
    }

    const checkText = (node: SyntaxNode): void => {
      const written = writtenText(context, node)
      if (written?.isBuilt === true && readsLikeSql(written.text)) report(node, 'built')
    }

    const checkCall = (node: SyntaxNode): void => {
      if (isCallOfTag(context, node, tagModules)) report(node, 'called')
      const method = lastName(node.callee)
      const argument = unwrap(node.arguments?.[0])
      if (method === undefined || argument === undefined || unwrap(node.callee)?.type !== 'MemberExpression') return
      if (rawMethods.has(method)) checkRaw(node, method, argument)
      else if (methods.includes(method)) checkPassed(method, argument)
    }

    const checkRaw = (node: SyntaxNode, method: string, argument: SyntaxNode): void => {
      const written = writtenText(context, argument)
      if (written?.isBuilt === false) return
      const owner = lastName(unwrap(node.callee)?.object) ?? ''
      const isOfDatabase = method.startsWith('$') || rawOwners.test(owner)
      const isText = written === undefined ? mayBeText.has(argument.type) : isOfDatabase || beginsLikeSql(written.text)
      if (isText && (isOfDatabase || written !== undefined)) report(argument, 'raw', { method })
    }

    const checkPassed = (method: string, argument: SyntaxNode): void => {
      for (const text of textsIn(argument)) {
        const written = writtenText(context, text)
        if (written?.isBuilt === true && beginsLikeSql(written.text)) report(text, 'passed', { method })
      }
    }

    const checkTagged = (node: SyntaxNode): void => {
      if (!isSqlTag(context, node.tag)) return checkText(node)
      const hasValues = (node.quasi?.expressions?.length ?? 0) > 0
      if (hasValues && isFunctionHere(context, node.tag)) report(node.tag ?? node, 'faked')
    }

    // A text that grows: `text += …`, where it began as SQL.
    const checkGrowth = ({ operator, left, right }: SyntaxNode, node: SyntaxNode): void => {
      if (operator !== '+=' || left?.type !== 'Identifier') return
      const start = writtenText(context, left)
      const isGrown = writtenText(context, right)?.isBuilt !== false
      if (start !== undefined && isGrown && readsLikeSql(start.text)) report(node, 'built')
    }

    return {
      CallExpression: (node) => {
        const call = node as unknown as SyntaxNode
        checkCall(call)
        checkText(call)
      },
      TaggedTemplateExpression: (node) => checkTagged(node as unknown as SyntaxNode),
      TemplateLiteral: (node) => {
        const template = node as unknown as SyntaxNode
        if (template.parent?.type !== 'TaggedTemplateExpression') checkText(template)
      },
      BinaryExpression: (node) => {
        const sum = node as unknown as SyntaxNode
        // The beginning of a longer sum, which is looked at whole.
        const isBeginning = sum.parent?.type === 'BinaryExpression' && sum.parent.left === sum
        if (!isBeginning) checkText(sum)
      },
      AssignmentExpression: (node) => checkGrowth(node as unknown as SyntaxNode, node as unknown as SyntaxNode),
    }
  },
}

/** `sql('…')`, `sql.call(…)`, `Reflect.apply(sql, …)` */
function isCallOfTag(context: Rule.RuleContext, node: SyntaxNode, modules: readonly string[]): boolean {
  const isTag = (candidate: SyntaxNode | undefined): boolean => {
    const imported = importOf(context, candidate)
    return imported?.name === 'sql' && modules.includes(imported.module)
  }
  const callee = unwrap(node.callee)
  if (callee?.type !== 'MemberExpression') return isTag(callee)
  const method = lastName(callee) ?? ''
  if (lastName(callee.object) === 'Reflect') return method === 'apply' && isTag(node.arguments?.[0])
  return ['call', 'apply', 'bind'].includes(method) && isTag(callee.object)
}

/** A query is its text, or an object that has it as `text` or `sql`. */
function textsIn(argument: SyntaxNode): readonly SyntaxNode[] {
  if (argument.type !== 'ObjectExpression') return [argument]
  return (argument.properties ?? []).flatMap(({ key, value }) =>
    key?.name === 'text' || key?.name === 'sql' ? [value as SyntaxNode] : [],
  )
}

/** A tag that the file writes itself: a function, or `String.raw` under another name. */
function isFunctionHere(context: Rule.RuleContext, tag: SyntaxNode | undefined): boolean {
  const definition = definitionOf(context, unwrap(tag))
  if (definition?.type === 'FunctionName') return true
  if (definition?.type !== 'Variable') return false
  const { id, init } = definition.node as unknown as SyntaxNode
  return id?.type === 'Identifier' ? isFunction(init) : lastName(unwrap(init)) === 'String'
}

function isFunction(node: SyntaxNode | null | undefined): boolean {
  const value = unwrap(node)
  if (value?.type === 'ArrowFunctionExpression' || value?.type === 'FunctionExpression') return true
  if (value?.type === 'MemberExpression') return lastName(value.object) === 'String'
  const isObjectCall = value?.type === 'CallExpression' && lastName(unwrap(value.callee)?.object) === 'Object'
  return isObjectCall && (value.arguments ?? []).some(isFunction)
}
