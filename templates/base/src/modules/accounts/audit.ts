import type { SecurityEvent } from 'holdfast/auth'
import { currentRequest, type Logger } from 'holdfast/http'
import { type Cut, cutPage } from '../../platform/paging.ts'
import type { AuditItem } from './accounts.schema.ts'
import type { AuditFilter, AuditRepository } from './audit.repository.ts'

/** Whose doing it was, and from where. */
export interface Origin {
  readonly requestId?: string | undefined
  readonly clientAddress?: string | undefined
  readonly actorId?: string | undefined
}

/** One line for those who ask later. Holds ids: no e-mail address, password or token. */
export interface AuditEvent extends Origin {
  readonly type: string
  /** Whom it concerns. */
  readonly accountId?: string | undefined
  readonly sessionId?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
}

export class Audit {
  readonly #events: AuditRepository
  readonly #logger: Logger

  constructor(events: AuditRepository, logger: Logger) {
    this.#events = events
    this.#logger = logger
  }

  /**
   * Written beside the answer, which does not wait for it; when that fails, the log has it. What must not be lost is
   * written by the repository together with the change it tells of.
   */
  note(event: AuditEvent): void {
    this.#events.insert(event).catch((error: unknown) => {
      this.#logger.error({ err: error, event }, 'An audit event is in this line only: it could not be stored')
    })
  }

  /** Of sessions: who began, ended or stole one. */
  readonly onSessionEvent = ({ type, principalId, sessionId, detail }: SecurityEvent): void => {
    const { requestId, clientAddress } = currentRequest() ?? {}
    this.note({ type, accountId: principalId, sessionId, detail, requestId, clientAddress })
  }

  async list(filter: AuditFilter): Promise<Cut<AuditItem>> {
    return cutPage(await this.#events.list({ ...filter, limit: filter.limit + 1 }), filter.limit)
  }
}
