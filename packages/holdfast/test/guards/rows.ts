import type { Row, Unclaimed } from './row.ts'
import { corsRows } from './rows/cors.ts'
import { headerRows } from './rows/headers.ts'
import { accessRows, identityRows, identityUnclaimed } from './rows/identity.ts'
import { isolationRows } from './rows/isolation.ts'
import { rateLimitRows, rateLimitUnclaimed } from './rows/rate-limit.ts'
import { replyRows } from './rows/replies.ts'
import { integrityRows } from './rows/row-integrity.ts'
import { constraintRows, nameRows, ownershipRows, rowSecurityRows, rowSecurityUnclaimed } from './rows/row-security.ts'
import { shopColumnRows, shopRuleRows, shopValidationRows } from './rows/shop.ts'
import { columnRows, validationRows } from './rows/validation.ts'

/** In the order in which a call meets the guards. */
export const rows: readonly Row[] = [
  ...headerRows,
  ...corsRows,
  ...rateLimitRows,
  ...isolationRows,
  ...identityRows,
  ...nameRows,
  ...accessRows,
  ...validationRows,
  ...shopValidationRows,
  ...ownershipRows,
  ...columnRows,
  ...shopColumnRows,
  ...shopRuleRows,
  ...rowSecurityRows,
  ...constraintRows,
  ...integrityRows,
  ...replyRows,
]

export const unclaimed: readonly Unclaimed[] = [...rateLimitUnclaimed, ...identityUnclaimed, ...rowSecurityUnclaimed]
