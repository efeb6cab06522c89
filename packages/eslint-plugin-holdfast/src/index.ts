import type { ESLint, Linter, Rule } from 'eslint'
import { floors } from './rules/floors.ts'

const rules: Record<string, Rule.RuleModule> = { floors }
const plugin: ESLint.Plugin = { meta: { name: 'eslint-plugin-holdfast', namespace: 'holdfast' }, rules }
const recommended: Linter.Config = {
  name: 'holdfast/recommended',
  plugins: { holdfast: plugin },
  rules: { 'holdfast/floors': 'error' },
}

/** The patterns of Holdfast services as lint rules. Loads in ESLint 10 (flat config) and in oxlint (`jsPlugins`). */
const holdfast: ESLint.Plugin & { rules: typeof rules; configs: { recommended: Linter.Config } } = Object.assign(
  plugin,
  { rules, configs: { recommended } },
)

export default holdfast
