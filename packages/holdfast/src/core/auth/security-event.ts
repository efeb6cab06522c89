/** Something an auditor asks for later. Holds ids, never tokens, passwords or addresses of e-mail. */
export interface SecurityEvent {
  /** Such as `session.started`, `session.reuse_detected`, `session.ended`. */
  readonly type: string
  readonly principalId?: string | undefined
  readonly sessionId?: string | undefined
  readonly detail?: Readonly<Record<string, string | number | boolean>> | undefined
}

/** Told of each event; what it throws is logged and stops nothing. */
export type OnSecurityEvent = (event: SecurityEvent) => void
