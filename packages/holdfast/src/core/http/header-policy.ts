import type { FlatHeaders } from './header-block.ts'

/** Headers that replies carry, settled at boot. `holdfast/headers` makes them with Helmet. */
export interface HeaderPolicy {
  /** Sent with every reply. */
  readonly headers: FlatHeaders
  /** Sent beside them over TLS, or behind a trusted proxy that took the request over TLS: `strict-transport-security`. */
  readonly secureHeaders: FlatHeaders
}
