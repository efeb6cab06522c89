import type { Row, Unclaimed } from './row.ts'
import { corsRows } from './rows/cors.ts'
import { headerRows } from './rows/headers.ts'
import { accessRows, identityRows, identityUnclaimed } from './rows/identity.ts'
import { rateLimitRows, rateLimitUnclaimed } from './rows/rate-limit.ts'
import { replyRows } from './rows/replies.ts'
import { validationRows } from './rows/validation.ts'

/** In the order in which a call meets the guards. */
export const rows: readonly Row[] = [
  ...headerRows,
  ...corsRows,
  ...rateLimitRows,
  ...identityRows,
  ...accessRows,
  ...validationRows,
  ...replyRows,
]

export const unclaimed: readonly Unclaimed[] = [...rateLimitUnclaimed, ...identityUnclaimed]
