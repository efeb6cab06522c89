import { openShop } from './by-hand.ts'

/** With the limits that a careful team sets; they cost nothing for each statement. */
export const shop = openShop({
  connectionTimeoutMillis: 3000,
  statement_timeout: 10_000,
  lock_timeout: 3000,
  idle_in_transaction_session_timeout: 10_000,
  keepAlive: true,
})
