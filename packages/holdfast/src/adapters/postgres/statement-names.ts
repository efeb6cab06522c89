import { createHash } from 'node:crypto'

/** `template`: text that stands whole in the source, so there are only so many. `composed`: text put together at run time. */
export type StatementOrigin = 'template' | 'composed'

export interface StatementNames {
  /** The name under which connections keep this text prepared, or nothing when it has to be sent unnamed. */
  nameOf(text: string, origin: StatementOrigin): string | undefined
}

export interface StatementNamesOptions {
  /** Names handed out in all. Default 1 000 */
  readonly maxNames?: number
  /** Names handed out to composed texts, so that these can never use up what templates need. Default 250 */
  readonly maxComposedNames?: number
  /** Composed texts with more characters go unnamed: their plans are large and seldom asked for twice. Default 10 000 */
  readonly maxComposedLength?: number
}

/**
 * Names statements after their text, so that each connection prepares each of them once.
 * Every connection keeps what it prepared until it ends, and PostgreSQL keeps the plan: the number of names is bounded
 * because SQL composed per request would otherwise grow the server's memory without end.
 */
export function createStatementNames(options: StatementNamesOptions = {}): StatementNames {
  const { maxNames = 1000, maxComposedNames = 250, maxComposedLength = 10_000 } = options
  const names = new Map<string, string>()
  let composedCount = 0

  const mayName = (text: string, origin: StatementOrigin): boolean => {
    if (names.size >= maxNames) return false
    return origin === 'template' || (composedCount < maxComposedNames && text.length <= maxComposedLength)
  }

  return {
    nameOf(text, origin) {
      const known = names.get(text)
      if (known !== undefined || !mayName(text, origin)) return known
      // 96 bits: two texts under one name would be refused by the driver, and do not happen.
      const name = `hf_${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`
      names.set(text, name)
      if (origin === 'composed') composedCount += 1
      return name
    },
  }
}

/** One book of names per process: the bound is on what a process may ask of a server. */
export const statementNames: StatementNames = createStatementNames()
