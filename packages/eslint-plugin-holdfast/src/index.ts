import type { ESLint, Linter, Rule } from 'eslint'
import { floors } from './rules/floors.ts'
import { noBuiltSql } from './rules/no-built-sql.ts'
import { sqlInRepositories } from './rules/sql-in-repositories.ts'

const rules: Record<string, Rule.RuleModule> = {
  floors,
  'no-built-sql': noBuiltSql,
  'sql-in-repositories': sqlInRepositories,
}
const plugin: ESLint.Plugin = { meta: { name: 'eslint-plugin-holdfast', namespace: 'holdfast' }, rules }
const recommended: Linter.Config = {
  name: 'holdfast/recommended',
  plugins: { holdfast: plugin },
  rules: { 'holdfast/floors': 'error', 'holdfast/no-built-sql': 'error', 'holdfast/sql-in-repositories': 'error' },
}

/** The patterns of Holdfast services as lint rules. Loads in ESLint 10 (flat config) and in oxlint (`jsPlugins`). */
const holdfast: ESLint.Plugin & { rules: typeof rules; configs: { recommended: Linter.Config } } = Object.assign(
  plugin,
  { rules, configs: { recommended } },
)

export default holdfast
