import type { Rule } from 'eslint'
import { RuleTester } from 'eslint'
import { RuleTester as OxlintRuleTester } from 'oxlint/plugins-dev'
import { describe, it } from 'vitest'

RuleTester.describe = describe
RuleTester.it = it
RuleTester.itOnly = it.only
OxlintRuleTester.describe = describe
OxlintRuleTester.it = it
OxlintRuleTester.itOnly = it.only

export interface Case {
  readonly code: string
  /** Default `src/modules/orders/orders.repository.ts` */
  readonly filename?: string
  readonly options?: readonly unknown[]
  /** What each message has to say; of a case that passes, nothing. */
  readonly says?: readonly RegExp[]
  /** Whether only a parser of TypeScript reads it. Default false */
  readonly isTs?: boolean
}

/** The same cases in both linters; ESLint, which is given no parser of TypeScript, leaves some out. */
export function runRule(name: string, rule: Rule.RuleModule, passing: readonly Case[], refused: readonly Case[]): void {
  const sources = { files: ['**/*.ts'], languageOptions: { globals: { require: 'readonly' as const } } }
  const isJs = ({ isTs = false }: Case): boolean => !isTs
  const valid = (cases: readonly Case[]) => cases.map(toCase)
  const invalid = (cases: readonly Case[]) =>
    cases.map((one) => ({ ...toCase(one), errors: (one.says ?? []).map((message) => ({ message })) }))

  describe('read by ESLint', () => {
    new RuleTester(sources).run(name, rule, {
      valid: valid(passing.filter(isJs)),
      invalid: invalid(refused.filter(isJs)),
    })
  })
  describe('read by oxlint', () => {
    new OxlintRuleTester().run(name, rule as never, { valid: valid(passing), invalid: invalid(refused) } as never)
  })
}

function toCase({ code, filename = 'src/modules/orders/orders.repository.ts', options }: Case) {
  return { code, filename, ...(options === undefined ? {} : { options: [...options] }) }
}
