export { loadConfig, type LoadConfigOptions } from '../core/config/config.ts'
export { ConfigError } from '../core/config/config-error.ts'
export { assertRelations, type Relation } from '../core/config/relations.ts'
export type { Environment, ReadFile } from '../core/config/read-settings.ts'
export { Secret } from '../core/config/secret.ts'
export { isWeakSecret, secretWeakness } from '../core/config/secret-strength.ts'
export { networks, wholeNumber } from '../adapters/zod/settings.ts'
export {
  connectionUrl,
  secret,
  sensitive,
  type ConnectionUrlOptions,
  type SecretOptions,
} from '../adapters/zod/secret.ts'
