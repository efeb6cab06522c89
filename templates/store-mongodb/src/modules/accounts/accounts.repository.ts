import { Secret } from 'holdfast/config'
import { ConflictError, isAppError } from 'holdfast/errors'
import { Schema } from 'mongoose'
import { type Database, defineModel } from '../../platform/database.ts'
import { createId } from '../../platform/ids.ts'
import { isRole, type Role } from '../../platform/rights.ts'
import { type Account, type AccountChange, toEmail } from './accounts.schema.ts'
import type { AuditEvent } from './audit.ts'
import { createAuditRepository } from './audit.repository.ts'

export interface AccountFilter {
  /** Only accounts that come after this one. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface AccountCredentials {
  readonly id: string
  readonly passwordHash: Secret
  readonly isDisabled: boolean
}

export interface HashChange {
  readonly from: string
  readonly to: string
}

type ChangeEvent = Omit<AuditEvent, 'accountId'>

/** Events go with the change they tell of: both are stored, or neither. */
export interface AccountsRepository {
  /** @returns whether there was none with this address */
  insert(
    account: { readonly email: string; readonly passwordHash: string; readonly roles: readonly Role[] },
    event: ChangeEvent,
  ): Promise<boolean>
  find(id: string): Promise<Account | undefined>
  findCredentials(by: { readonly id: string } | { readonly email: string }): Promise<AccountCredentials | undefined>
  /** Newest first. */
  list(filter: AccountFilter): Promise<Account[]>
  /** @returns whether the hash still was `from` */
  replaceHash(id: string, hash: HashChange, event?: ChangeEvent): Promise<boolean>
  /** Gives nothing when there is no such account, or when no admin would be left. */
  change(id: string, change: AccountChange, events: readonly ChangeEvent[]): Promise<Account | undefined>
}

export const createAccountsRepository = (database: Database): AccountsRepository =>
  new MongoAccountsRepository(database)

interface AccountDocument {
  readonly _id: string
  readonly email: string
  readonly passwordHash: string
  readonly roles: readonly string[]
  readonly disabledAt: Date | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

const accountSchema = new Schema<AccountDocument>({
  _id: { type: String, required: true },
  // In one form only, so that being unique means what people take it for.
  email: {
    type: String,
    required: true,
    minLength: 3,
    maxLength: 254,
    validate: (text: string) => text === toEmail(text),
  },
  passwordHash: { type: String, required: true, match: /^\$argon2id\$/ },
  roles: { type: [String], required: true },
  disabledAt: { type: Date, default: null },
  createdAt: { type: Date, required: true },
  updatedAt: { type: Date, required: true },
})

/** One document that everybody writes who takes an admin away: of two at once, the second finds out. */
interface GuardDocument {
  readonly _id: string
  readonly changes: number
}

const guardSchema = new Schema<GuardDocument>({
  _id: { type: String, required: true },
  changes: { type: Number, required: true },
})

export const openAccounts = defineModel<AccountDocument>('accounts', accountSchema)
const openGuards = defineModel<GuardDocument>('guards', guardSchema)

const fields = { _id: 1, email: 1, roles: 1, disabledAt: 1, createdAt: 1 } as const
type Listed = Pick<AccountDocument, keyof typeof fields>

const asListed = (document: Listed): Listed => document

const toAccount = (document: Listed): Account => ({
  id: document._id,
  email: document.email,
  // A role that the service does not know any more gives nobody anything.
  roles: document.roles.filter(isRole),
  isDisabled: document.disabledAt !== null,
  createdAt: document.createdAt.toISOString(),
})

const toCredentials = (document: Pick<AccountDocument, '_id' | 'passwordHash' | 'disabledAt'>): AccountCredentials => ({
  id: document._id,
  passwordHash: new Secret(document.passwordHash),
  isDisabled: document.disabledAt !== null,
})

const emailTaken = 'accounts.email_taken'
const constraints = {
  accounts_email_key: (cause: unknown) =>
    new ConflictError(emailTaken, 'Somebody has an account with this address.', { cause }),
}

class MongoAccountsRepository implements AccountsRepository {
  readonly #database: Database
  readonly #accounts: ReturnType<typeof openAccounts>
  readonly #guards: ReturnType<typeof openGuards>
  readonly #audit: ReturnType<typeof createAuditRepository>

  constructor(database: Database) {
    this.#database = database
    this.#accounts = openAccounts(database)
    this.#guards = openGuards(database)
    this.#audit = createAuditRepository(database)
  }

  async insert(
    { email, passwordHash, roles }: Parameters<AccountsRepository['insert']>[0],
    event: ChangeEvent,
  ): Promise<boolean> {
    const id = createId()
    const now = new Date()
    try {
      await this.#database.transaction(async () => {
        const account = { _id: id, email, passwordHash, roles, disabledAt: null, createdAt: now, updatedAt: now }
        await this.#database.insert<AccountDocument>(this.#accounts, account, { constraints })
        await this.#audit.insert({ ...event, accountId: id })
      })
      return true
    } catch (error) {
      if (isAppError(error) && error.code === emailTaken) return false
      throw error
    }
  }

  find(id: string): Promise<Account | undefined> {
    return this.#database.maybeOne(this.#accounts.findOne({ _id: id }, fields), toAccount)
  }

  findCredentials(by: { readonly id: string } | { readonly email: string }): Promise<AccountCredentials | undefined> {
    const filter = 'id' in by ? { _id: by.id } : { email: by.email }
    return this.#database.maybeOne(this.#accounts.findOne(filter, { passwordHash: 1, disabledAt: 1 }), toCredentials)
  }

  list({ after, limit }: AccountFilter): Promise<Account[]> {
    const filter = after === undefined ? {} : { _id: { $lt: after } }
    return this.#database.many(this.#accounts.find(filter, fields).sort({ _id: -1 }).limit(limit), toAccount)
  }

  replaceHash(id: string, { from, to }: HashChange, event?: ChangeEvent): Promise<boolean> {
    return this.#database.transaction(async () => {
      const isReplaced = await this.#update(
        { _id: id, passwordHash: from },
        { $set: { passwordHash: to, updatedAt: new Date() } },
      )
      if (isReplaced && event !== undefined) await this.#audit.insert({ ...event, accountId: id })
      return isReplaced
    })
  }

  change(id: string, { roles, disabled }: AccountChange, events: readonly ChangeEvent[]): Promise<Account | undefined> {
    return this.#database.transaction(async () => {
      const account = await this.#database.maybeOne(this.#accounts.findOne({ _id: id }, fields), asListed)
      if (account === undefined) return undefined
      const now = new Date()
      const wanted = {
        roles: roles ?? account.roles,
        disabledAt: disabled === undefined ? account.disabledAt : disabled ? (account.disabledAt ?? now) : null,
      }
      if (isAdmin(account) && !isAdmin(wanted) && !(await this.#isOtherAdminLeft(id))) return undefined
      await this.#update({ _id: id }, { $set: { ...wanted, updatedAt: now } })
      await this.#audit.insertAll(events.map((event) => ({ ...event, accountId: id })))
      return toAccount({ ...account, ...wanted })
    })
  }

  async #isOtherAdminLeft(id: string): Promise<boolean> {
    await this.#database.execute(this.#guards.updateOne({ _id: 'admins' }, { $inc: { changes: 1 } }, { upsert: true }))
    const others = this.#accounts.find({ _id: { $ne: id }, roles: 'admin', disabledAt: null }, fields).limit(1)
    return (await this.#database.many(others, asListed)).length > 0
  }

  async #update(filter: object, update: object): Promise<boolean> {
    return (await this.#database.execute(this.#accounts.updateOne(filter, update, { runValidators: true }))) === 1
  }
}

const isAdmin = ({ roles, disabledAt }: Pick<AccountDocument, 'roles' | 'disabledAt'>): boolean =>
  roles.includes('admin') && disabledAt === null
