import { Secret } from 'holdfast/config'
import { sql } from 'holdfast/postgres'
import type { Database } from '../../platform/database.ts'
import { isRole, type Role } from '../../platform/rights.ts'
import type { Account, AccountChange } from './accounts.schema.ts'
import { insertEvents } from './audit.repository.ts'
import type { AuditEvent } from './audit.ts'

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

export const createAccountsRepository = (database: Database): AccountsRepository => new SqlAccountsRepository(database)

interface AccountRow {
  readonly id: string
  readonly email: string
  readonly roles: readonly string[]
  readonly disabled_at: Date | null
  readonly created_at: Date
}

const columns = sql.columns(['id', 'email', 'roles', 'disabled_at', 'created_at'])

const toAccount = (row: AccountRow): Account => ({
  id: row.id,
  email: row.email,
  // A role that the service does not know any more gives nobody anything.
  roles: row.roles.filter(isRole),
  isDisabled: row.disabled_at !== null,
  createdAt: row.created_at.toISOString(),
})

interface CredentialsRow {
  readonly id: string
  readonly password_hash: string
  readonly is_disabled: boolean
}

const toCredentials = (row: CredentialsRow): AccountCredentials => ({
  id: row.id,
  passwordHash: new Secret(row.password_hash),
  isDisabled: row.is_disabled,
})

class SqlAccountsRepository implements AccountsRepository {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async insert(
    { email, passwordHash, roles }: Parameters<AccountsRepository['insert']>[0],
    event: ChangeEvent,
  ): Promise<boolean> {
    const rows = await this.#database.query(sql`
      with changed as (
        insert into accounts (email, password_hash, roles) values (${email}, ${passwordHash}, ${roles}::text[])
        on conflict (email) do nothing
        returning id
      ), told as (${insertEvents([event], sql`changed`)})
      select id from changed`)
    return rows.length === 1
  }

  find(id: string): Promise<Account | undefined> {
    return this.#database.maybeOne(sql`select ${columns} from accounts where id = ${id}`, toAccount)
  }

  findCredentials(by: { readonly id: string } | { readonly email: string }): Promise<AccountCredentials | undefined> {
    const isMeant = 'id' in by ? sql`id = ${by.id}` : sql`email = ${by.email}`
    return this.#database.maybeOne(
      sql`select id, password_hash, disabled_at is not null as is_disabled from accounts where ${isMeant}`,
      toCredentials,
    )
  }

  list({ after, limit }: AccountFilter): Promise<Account[]> {
    const isAfter = after === undefined ? sql`true` : sql`id < ${after}`
    return this.#database.many(
      sql`select ${columns} from accounts where ${isAfter} order by id desc limit ${limit}`,
      toAccount,
    )
  }

  async replaceHash(id: string, { from, to }: HashChange, event?: ChangeEvent): Promise<boolean> {
    const told = event === undefined ? sql.empty : sql`, told as (${insertEvents([event], sql`changed`)})`
    const rows = await this.#database.query(sql`
      with changed as (
        update accounts set password_hash = ${to}, updated_at = now()
        where id = ${id} and password_hash = ${from}
        returning id
      )${told}
      select id from changed`)
    return rows.length === 1
  }

  change(id: string, { roles, disabled }: AccountChange, events: readonly ChangeEvent[]): Promise<Account | undefined> {
    // All active admins are locked, in one order, and read as they are once the lock is there: of two admins who demote
    // each other at once, the second finds out.
    return this.#database.maybeOne(
      sql`
        with admins as materialized (
          select id from accounts where 'admin' = any (roles) and disabled_at is null order by id for update
        ), wanted as (
          select ${roles ?? null}::text[] as roles, ${disabled ?? null}::boolean as disabled
        ), changed as (
          update accounts set
            roles = coalesce(wanted.roles, accounts.roles),
            disabled_at = case wanted.disabled
              when true then coalesce(accounts.disabled_at, now())
              when false then null
              else accounts.disabled_at
            end,
            updated_at = now()
          from wanted
          where accounts.id = ${id} and (
            (select count(*) from admins where admins.id <> ${id}) > 0
            or not ('admin' = any (accounts.roles) and accounts.disabled_at is null)
            or ('admin' = any (coalesce(wanted.roles, accounts.roles)) and wanted.disabled is not true)
          )
          returning accounts.*
        ), told as (${insertEvents(events, sql`changed`)})
        select ${columns} from changed`,
      toAccount,
    )
  }
}
