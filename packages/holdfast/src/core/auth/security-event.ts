import type { Logger } from '../../foundation/logger.ts'

/** Something an auditor asks for later. Holds ids, never tokens, passwords or addresses of e-mail. */
export interface SecurityEvent {
  /** Such as `session.started`, `session.reuse_detected`, `api_key.revoked`. */
  readonly type: string
  readonly principalId?: string | undefined
  readonly sessionId?: string | undefined
  readonly detail?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** Told of each event; what it throws is logged and stops nothing. */
export type OnSecurityEvent = (event: SecurityEvent) => void

export function tellOfEvent(onEvent: OnSecurityEvent | undefined, event: SecurityEvent, logger: Logger): void {
  const onFailure = (error: unknown): void =>
    logger.error({ err: error, event: event.type }, 'A listener to security events failed')
  try {
    // A listener may well be an async function, whatever its type says.
    const told: unknown = onEvent?.(event)
    if (told instanceof Promise) told.catch(onFailure)
  } catch (error) {
    onFailure(error)
  }
}
