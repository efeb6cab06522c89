import { clearRefreshCookie, refreshCookie, type SignedIn } from 'holdfast/auth'
import { accepted, type ClientAddress, noContent, ok, page, type Principal } from 'holdfast/http'
import { toCursor } from '../../platform/paging.ts'
import type {
  AccountChange,
  AccountQuery,
  AuditQuery,
  Credentials,
  Id,
  NewAccount,
  PasswordChange,
  Refresh,
  RefreshCookie,
  Tokens,
} from './accounts.schema.ts'
import type { AccountsService } from './accounts.service.ts'
import type { Origin } from './audit.ts'

interface AnyCall {
  readonly requestId: string
  readonly client: ClientAddress
  readonly principal: Principal | undefined
}
interface SignedInCall extends AnyCall {
  readonly principal: Principal
}

export class AccountsController {
  readonly #accounts: AccountsService

  constructor(accounts: AccountsService) {
    this.#accounts = accounts
  }

  async register(call: AnyCall & { readonly body: NewAccount }) {
    await this.#accounts.register(call.body, originOf(call))
    return accepted({ status: 'accepted' as const })
  }

  async signIn(call: AnyCall & { readonly body: Credentials }) {
    const signed = await this.#accounts.signIn(call.body, originOf(call))
    return toReply(signed, call.body.mode)
  }

  /** Answers the way it was asked: in the body, or with a cookie. */
  async refresh({ body, cookies }: { readonly body: Refresh; readonly cookies: RefreshCookie }) {
    const signed = await this.#accounts.refresh(body.refreshToken ?? cookies['__Host-refresh'])
    return toReply(signed, body.refreshToken === undefined ? 'browser' : 'token')
  }

  async signOut({ body, cookies }: { readonly body: Refresh; readonly cookies: RefreshCookie }) {
    await this.#accounts.signOut(body.refreshToken ?? cookies['__Host-refresh'])
    return noContent({ 'set-cookie': clearRefreshCookie() })
  }

  async signOutEverywhere({ principal }: SignedInCall) {
    await this.#accounts.signOutEverywhere(principal)
    return noContent({ 'set-cookie': clearRefreshCookie() })
  }

  async me({ principal }: SignedInCall) {
    const account = await this.#accounts.find(principal.id)
    return ok({ ...account, permissions: principal.permissions })
  }

  async changePassword(call: SignedInCall & { readonly body: PasswordChange }) {
    await this.#accounts.changePassword(call.principal, call.body, originOf(call))
    return noContent()
  }

  async sessions({ principal }: SignedInCall) {
    const sessions = await this.#accounts.sessions(principal)
    return ok(
      sessions.map(({ id, label, createdAt, lastUsedAt, expiresAt }) => ({
        id,
        label,
        createdAt: toIso(createdAt),
        lastUsedAt: toIso(lastUsedAt),
        expiresAt: toIso(expiresAt),
        isCurrent: id === principal.sessionId,
      })),
    )
  }

  async endSession({ principal, params }: SignedInCall & { readonly params: Id }) {
    await this.#accounts.endSession(principal, params.id)
    return noContent()
  }

  async list({ query }: { readonly query: AccountQuery }) {
    const { items, nextAfter } = await this.#accounts.list({ ...query, after: query.cursor })
    return page(items, toCursor(nextAfter))
  }

  async audit({ query }: { readonly query: AuditQuery }) {
    const { items, nextAfter } = await this.#accounts.audit({ ...query, after: query.cursor })
    return page(items, toCursor(nextAfter))
  }

  async change(call: SignedInCall & { readonly params: Id; readonly body: AccountChange }) {
    return ok(await this.#accounts.change(call.params.id, call.body, originOf(call)))
  }
}

const originOf = ({ requestId, client, principal }: AnyCall): Origin => ({
  requestId,
  clientAddress: client.address,
  actorId: principal?.id,
})

const toIso = (milliseconds: number): string => new Date(milliseconds).toISOString()

function toReply(signed: SignedIn, mode: Credentials['mode']) {
  const { accessToken, expiresInSeconds, refreshToken, refreshExpiresInSeconds } = signed
  const tokens: Tokens = { accessToken, tokenType: 'Bearer', expiresInSeconds, refreshExpiresInSeconds }
  return mode === 'browser' ? ok(tokens, { 'set-cookie': refreshCookie(signed) }) : ok({ ...tokens, refreshToken })
}
