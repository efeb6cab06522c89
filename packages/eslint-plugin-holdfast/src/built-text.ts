import type { Rule } from 'eslint'
import { hole } from './sql-text.ts'
import { definitionOf, isSqlTag, lastName, unwrap } from './syntax.ts'
import type { SyntaxNode } from './syntax.ts'

/** A text as its source shows it. */
export interface WrittenText {
  /** Has a {@link hole} for each part that is only known at run time. */
  readonly text: string
  /** Whether it is put together at run time. */
  readonly isBuilt: boolean
}

/**
 * The text an expression makes: a literal, a template, `+`, `join`, `concat`, `replace`, or a variable that is given one
 * of these. `undefined` for what is not seen to be a text, and for what the `sql` tag makes.
 */
export function writtenText(context: Rule.RuleContext, node: SyntaxNode | null | undefined): WrittenText | undefined {
  return new Reader(context).textOf(node)
}

const unknown: WrittenText = { text: hole, isBuilt: true }
// Of each text. Variables made of variables may double with every step.
const maxNodes = 2000

class Reader {
  readonly #context: Rule.RuleContext
  #nodesLeft = maxNodes

  constructor(context: Rule.RuleContext) {
    this.#context = context
  }

  textOf(node: SyntaxNode | null | undefined): WrittenText | undefined {
    const inner = unwrap(node)
    if (inner === undefined || (this.#nodesLeft -= 1) < 0) return undefined
    switch (inner.type) {
      case 'Literal':
        return typeof inner.value === 'string' ? { text: inner.value, isBuilt: false } : undefined
      case 'TemplateLiteral':
        return this.#ofTemplate(inner)
      case 'TaggedTemplateExpression':
        return inner.quasi && !isSqlTag(this.#context, inner.tag) ? this.#ofTemplate(inner.quasi) : undefined
      case 'BinaryExpression':
        return inner.operator === '+' ? this.#ofSum(inner) : undefined
      case 'CallExpression':
        return this.#ofCall(inner)
      case 'Identifier':
        return this.#ofVariable(inner)
      default:
        return undefined
    }
  }

  #ofTemplate({ quasis = [], expressions = [] }: SyntaxNode): WrittenText {
    const parts = quasis.flatMap(({ value }, index) => {
      const literal = { text: value.cooked ?? value.raw, isBuilt: false }
      return index < expressions.length ? [literal, this.#ofPart(expressions[index])] : [literal]
    })
    return joined(parts, '')
  }

  #ofSum({ left, right }: SyntaxNode): WrittenText | undefined {
    const parts = [this.#ofPart(left), this.#ofPart(right)]
    return parts.every((part) => part === unknown) ? undefined : joined(parts, '')
  }

  #ofCall({ callee, arguments: args = [] }: SyntaxNode): WrittenText | undefined {
    const method = unwrap(callee)
    if (method?.type !== 'MemberExpression') return undefined
    switch (lastName(method)) {
      case 'join':
        return this.#ofJoin(unwrap(method.object), args[0])
      case 'concat':
        return this.#ofConcat(this.textOf(method.object), args)
      case 'replace':
      case 'replaceAll':
        return replaced(this.textOf(method.object), args)
      case 'trim':
      case 'trimStart':
      case 'trimEnd':
      case 'toString':
        return this.textOf(method.object)
      default:
        return undefined
    }
  }

  #ofJoin(list: SyntaxNode | undefined, separator: SyntaxNode | undefined): WrittenText | undefined {
    if (list?.type !== 'ArrayExpression') return undefined
    const between = separator === undefined ? ',' : this.#ofPart(separator).text
    const parts = (list.elements ?? []).map((element) => this.#ofPart(element))
    return joined(parts, between)
  }

  #ofConcat(start: WrittenText | undefined, args: readonly SyntaxNode[]): WrittenText | undefined {
    return start && joined([start, ...args.map((argument) => this.#ofPart(argument))], '')
  }

  #ofVariable(node: SyntaxNode): WrittenText | undefined {
    const definition = definitionOf(this.#context, node)
    if (definition?.type !== 'Variable') return undefined
    const { id, init } = definition.node as unknown as SyntaxNode
    return id?.type === 'Identifier' ? this.textOf(init) : undefined
  }

  /** What may be another text by then is built. */
  #ofPart(node: SyntaxNode | null | undefined): WrittenText {
    const text = this.textOf(node)
    if (text === undefined) return unknown
    return this.#mayChange(unwrap(node)) ? { ...text, isBuilt: true } : text
  }

  #mayChange(node: SyntaxNode | undefined): boolean {
    const declaration = definitionOf(this.#context, node)?.parent as SyntaxNode | null | undefined
    return node?.type === 'Identifier' && declaration?.kind !== 'const'
  }
}

/** Squeezing blanks out of a text that is written out builds nothing. */
function replaced(text: WrittenText | undefined, args: readonly SyntaxNode[]): WrittenText | undefined {
  const isFixed = args.every((argument) => unwrap(argument)?.type === 'Literal')
  return text && { text: text.text, isBuilt: text.isBuilt || !isFixed }
}

function joined(parts: readonly WrittenText[], separator: string): WrittenText {
  return { text: parts.map(({ text }) => text).join(separator), isBuilt: parts.some(({ isBuilt }) => isBuilt) }
}
