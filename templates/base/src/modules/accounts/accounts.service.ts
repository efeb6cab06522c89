import type { SessionRecord, Sessions, SignedIn } from 'holdfast/auth'
import { ConflictError, ForbiddenError, NotFoundError, UnauthorizedError, ValidationError } from 'holdfast/errors'
import type { Logger, Principal } from 'holdfast/http'
import type { PasswordHasher } from 'holdfast/passwords'
import { type Cut, cutPage } from '../../platform/paging.ts'
import type { Role } from '../../platform/rights.ts'
import type { AccountCredentials, AccountFilter, AccountsRepository } from './accounts.repository.ts'
import type { Account, AccountChange, AuditItem, Credentials, NewAccount, PasswordChange } from './accounts.schema.ts'
import type { AuditFilter } from './audit.repository.ts'
import type { Audit, AuditEvent, Origin } from './audit.ts'

export interface AccountsServiceNeeds {
  readonly accounts: AccountsRepository
  readonly audit: Audit
  readonly hasher: PasswordHasher
  readonly sessions: Sessions
  readonly logger: Logger
}

export class AccountsService {
  readonly #accounts: AccountsRepository
  readonly #audit: Audit
  readonly #hasher: PasswordHasher
  readonly #sessions: Sessions
  readonly #logger: Logger

  constructor({ accounts, audit, hasher, sessions, logger }: AccountsServiceNeeds) {
    this.#accounts = accounts
    this.#audit = audit
    this.#hasher = hasher
    this.#sessions = sessions
    this.#logger = logger
  }

  /**
   * Does the same for known addresses as for new ones, and tells the caller the same. Send a mail from here, to confirm
   * the address or to say that somebody tried: until then, whoever signs in afterwards can tell which it was.
   */
  async register(account: NewAccount, origin: Origin): Promise<void> {
    const isNew = await this.create({ ...account, roles: [] }, origin)
    if (!isNew) this.#audit.note({ ...origin, type: 'account.registration_repeated' })
  }

  /** @returns whether there was none with this address */
  async create(account: NewAccount & { readonly roles: readonly Role[] }, origin: Origin = {}): Promise<boolean> {
    const { email, password, roles } = account
    const passwordHash = await this.#hasher.hash(password)
    return this.#accounts.insert({ email, passwordHash, roles }, { ...origin, type: 'account.registered' })
  }

  /** Unknown address, wrong password, disabled account: one answer, after the same work. */
  async signIn({ email, password, device }: Omit<Credentials, 'mode'>, origin: Origin): Promise<SignedIn> {
    const account = await this.#accounts.findCredentials({ email })
    const isRight = await this.#hasher.verify(account?.passwordHash.reveal(), password)
    if (account === undefined || !isRight || account.isDisabled) {
      this.#audit.note({ ...origin, type: 'login.failed', accountId: account?.id })
      throw loginFailed()
    }
    const signed = await this.#sessions.start(account.id, { label: device })
    await this.#assertUnchanged(account, password, signed)
    this.#audit.note({ ...origin, type: 'login.succeeded', accountId: account.id, sessionId: signed.session.id })
    await this.#renewHash(account, password)
    return signed
  }

  /** A new password ends sessions; one that began just then, with the old password, is not among them. */
  async #assertUnchanged(
    { id, passwordHash }: AccountCredentials,
    password: string,
    { session }: SignedIn,
  ): Promise<void> {
    const current = (await this.#accounts.findCredentials({ id }))?.passwordHash.reveal()
    if (current === passwordHash.reveal()) return
    // Another hash may be of the same password, when somebody else's sign-in renewed it.
    if (current !== undefined && (await this.#hasher.verify(current, password))) return
    await this.#sessions.end(id, session.id)
    throw loginFailed()
  }

  /** At sign-in, because only then is the password at hand. Nobody is refused for it. */
  async #renewHash({ id, passwordHash }: AccountCredentials, password: string): Promise<void> {
    const from = passwordHash.reveal()
    if (!this.#hasher.needsRehash(from)) return
    try {
      await this.#accounts.replaceHash(id, { from, to: await this.#hasher.hash(password) })
    } catch (error) {
      this.#logger.warn({ err: error }, 'A password keeps its outdated hash until its owner signs in again')
    }
  }

  refresh(refreshToken: string | undefined): Promise<SignedIn> {
    // No token is answered as a wrong one is.
    return this.#sessions.refresh(refreshToken ?? '')
  }

  /** A session that has ended already is none to complain about; a call that names none is. */
  async signOut(refreshToken: string | undefined): Promise<void> {
    if (refreshToken === undefined) throw noSession()
    await this.#sessions.signOutByToken(refreshToken)
  }

  async signOutEverywhere({ id }: Principal): Promise<void> {
    await this.#sessions.endAll(id)
  }

  async find(id: string): Promise<Account> {
    const account = await this.#accounts.find(id)
    if (account === undefined) throw new NotFoundError('accounts.not_found', `There is no account ${id}.`)
    return account
  }

  /**
   * Ends all sessions but the one it was asked from: before, because who is told that it failed can't ask again once the
   * current password is another; and after, because with the old one somebody may have signed in meanwhile.
   */
  async changePassword(principal: Principal, change: PasswordChange, origin: Origin): Promise<void> {
    const { id, sessionId } = principal
    const account = await this.#accounts.findCredentials({ id })
    const isRight = await this.#hasher.verify(account?.passwordHash.reveal(), change.currentPassword)
    if (account === undefined || !isRight) {
      this.#audit.note({ ...origin, type: 'account.password_refused', accountId: id, sessionId })
      throw new ForbiddenError('The current password is wrong.', { code: 'accounts.wrong_password' })
    }
    const hashes = { from: account.passwordHash.reveal(), to: await this.#hasher.hash(change.newPassword) }
    const event = { ...origin, type: 'account.password_changed', accountId: id, sessionId }
    await this.#sessions.endAll(id, { except: sessionId })
    if (!(await this.#accounts.replaceHash(id, hashes, event))) {
      throw new ConflictError('accounts.password_changed', 'The password was changed at the same time; sign in again.')
    }
    await this.#sessions.endAll(id, { except: sessionId })
  }

  sessions({ id }: Principal): Promise<readonly SessionRecord[]> {
    return this.#sessions.list(id)
  }

  async endSession({ id }: Principal, sessionId: string): Promise<void> {
    const isEnded = await this.#sessions.end(id, sessionId)
    if (!isEnded) throw new NotFoundError('accounts.session_not_found', `You have no session ${sessionId}.`)
  }

  async list(filter: AccountFilter): Promise<Cut<Account>> {
    return cutPage(await this.#accounts.list({ ...filter, limit: filter.limit + 1 }), filter.limit)
  }

  audit(filter: AuditFilter): Promise<Cut<AuditItem>> {
    return this.#audit.list(filter)
  }

  /** Holds from now on, on every process. Repeat it when it failed half-way: what was done stays done. */
  async change(id: string, change: AccountChange, origin: Origin): Promise<Account> {
    const account = await this.#accounts.change(id, change, eventsOf(change, origin))
    if (account === undefined) {
      await this.find(id)
      throw new ConflictError('accounts.last_admin', 'This is the last admin; make somebody else one first.')
    }
    // By the account's own id: sessions compare ids as texts, and whoever calls may write theirs in another way.
    if (account.isDisabled) await this.#sessions.endAll(account.id)
    else if (change.roles !== undefined) await this.#sessions.outdate(account.id)
    return account
  }
}

const noSession = () =>
  new ValidationError('Send the refresh token of the session to end, or its cookie.', { code: 'auth.no_session_named' })

const loginFailed = (): UnauthorizedError =>
  new UnauthorizedError('The e-mail address or the password is wrong.', { code: 'auth.login_failed' })

/** One for each thing that changed, so that who asks for changes of roles finds them all. */
function eventsOf({ roles, disabled }: AccountChange, origin: Origin): AuditEvent[] {
  const events: AuditEvent[] = []
  if (roles !== undefined) events.push({ ...origin, type: 'account.roles_changed', detail: { roles } })
  if (disabled !== undefined) events.push({ ...origin, type: disabled ? 'account.disabled' : 'account.enabled' })
  return events
}
