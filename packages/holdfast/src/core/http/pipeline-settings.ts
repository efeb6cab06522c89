import type { Clock } from '../../foundation/clock.ts'
import type { Logger } from '../../foundation/logger.ts'
import type { Authenticate } from '../auth/principal.ts'
import type { Limiter } from '../rate-limit/limiter.ts'
import type { PrepareSchema } from '../validation/prepared-schema.ts'
import type { Cors } from './cors.ts'
import type { TrustsCookies } from './cookies.ts'
import type { HeaderBlocks, HeaderBook } from './header-blocks.ts'
import type { ReplyFormat } from './reply-writer.ts'

/** What all routes of a service share, settled at registration. */
export interface PipelineSettings {
  readonly logger: Logger
  readonly clock: Clock
  readonly headers: HeaderBook
  /** For whatever has no route. */
  readonly blocks: HeaderBlocks
  readonly cors: Cors | undefined
  readonly limiter: Limiter | undefined
  readonly trustsCookies: TrustsCookies
  readonly prepareSchema: PrepareSchema
  readonly authenticate: Authenticate | undefined
  /** Names that `isolation` of a route may have. */
  readonly isolations: readonly string[]
  readonly timeoutMs: number
  readonly maxBodyBytes: number
  readonly maxJsonDepth: number
  readonly format: ReplyFormat | undefined
  readonly revealDefects: boolean
}
