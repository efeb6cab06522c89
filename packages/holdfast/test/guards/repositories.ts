import type { Database as HoldfastDatabase } from '../../src/adapters/postgres/database.ts'
import { sql } from '../../src/adapters/postgres/sql.ts'
import { Secret } from '../../src/core/config/secret.ts'
import { ConflictError, ValidationError } from '../../src/foundation/errors.ts'

export type Database = HoldfastDatabase

export const labels = ['home', 'work'] as const
export const sortable = ['title', 'label'] as const

/** The role that the service works as: it owns nothing, so that what the database says holds for it too. */
export const serviceRole = 'notes_service'

/** The last word on what may be stored and who may see it, whoever forgot to ask before. */
export const tables = `
drop table if exists orders, products, notes, accounts;
create table accounts (
  id uuid primary key default gen_random_uuid(),
  email text not null
    constraint accounts_email_key unique
    constraint accounts_email_form check (email = lower(email) and length(email) between 3 and 254),
  password_hash text not null,
  role text not null default 'member' constraint accounts_role check (role in ('member', 'admin')),
  permissions text[] not null default '{}'
    constraint accounts_permissions check (array_to_string(permissions, ' ') not like '%,%')
);
create table notes (
  id uuid primary key default gen_random_uuid(),
  owner_id uuid not null constraint notes_owner references accounts,
  title text not null constraint notes_title check (length(title) between 1 and 80),
  body text not null constraint notes_body check (length(body) <= 2000),
  label text not null constraint notes_label check (label in ('home', 'work')),
  is_shared boolean not null default false
);
alter table notes enable row level security;
create policy notes_own on notes
  using (owner_id = (select nullif(current_setting('app.principal_id', true), '')::uuid));
create policy notes_shared on notes for select using (is_shared);
create policy notes_supervised on notes for select
  using ('notes:supervise' = any (string_to_array((select current_setting('app.permissions', true)), ',')));
grant select, insert (email, password_hash), update (role) on accounts to ${serviceRole};
grant select, insert, update, delete on notes to ${serviceRole};`

export interface Account {
  readonly id: string
  readonly email: string
  readonly role: string
}

export interface AccountCredentials {
  readonly id: string
  readonly email: string
  readonly passwordHash: Secret
}

export interface NewAccount {
  readonly email: string
  readonly passwordHash: string
}

export interface AccountsRepository {
  insert(account: NewAccount): Promise<Account>
  find(id: string): Promise<Account>
  findCredentials(by: { readonly id: string } | { readonly email: string }): Promise<AccountCredentials | undefined>
  changeRole(id: string, role: string): Promise<void>
}

export interface Note {
  readonly id: string
  readonly ownerId: string
  readonly title: string
  readonly body: string
  readonly label: string
  readonly isShared: boolean
}

export type NoteInput = Pick<Note, 'title' | 'body' | 'label'>
export type NoteChange = { readonly [Member in keyof NoteInput]?: NoteInput[Member] | null | undefined }
export type OwnNote = Pick<Note, 'id' | 'ownerId'>

export interface NoteFilter {
  readonly ownerId: string
  readonly label?: string | undefined
  readonly sort: string
}

export interface NotesRepository {
  find(id: string): Promise<Note | undefined>
  list(filter: NoteFilter): Promise<Note[]>
  insert(ownerId: string, note: NoteInput): Promise<Note>
  update(note: OwnNote, change: NoteChange): Promise<Note | undefined>
  /** @returns whether there was one of this owner */
  delete(note: OwnNote): Promise<boolean>
}

const constraints = {
  accounts_email_key: (cause: unknown) =>
    new ConflictError('accounts.email_taken', 'This e-mail address is taken.', { cause }),
  accounts_email_form: (cause: unknown) =>
    new ValidationError('This is no e-mail address in lower case.', { code: 'accounts.email_malformed', cause }),
}

interface CredentialsRow {
  readonly id: string
  readonly email: string
  readonly password_hash: string
}

const accountColumns = sql.columns(['id', 'email', 'role'])
const toAccount = ({ id, email, role }: Account): Account => ({ id, email, role })

export const createAccounts = (database: Database): AccountsRepository => ({
  insert: ({ email, passwordHash }) =>
    database.one(
      sql`insert into accounts (email, password_hash) values (${email}, ${passwordHash}) returning ${accountColumns}`,
      toAccount,
      { constraints },
    ),
  find: (id) => database.one(sql`select ${accountColumns} from accounts where id = ${id}`, toAccount),
  async findCredentials(by) {
    const condition = 'id' in by ? sql`id = ${by.id}` : sql`email = ${by.email}`
    const query = sql`select id, email, password_hash from accounts where ${condition}`
    return await database.maybeOne(query, (row: CredentialsRow) => ({
      id: row.id,
      email: row.email,
      passwordHash: new Secret(row.password_hash),
    }))
  },
  async changeRole(id, role) {
    await database.execute(sql`update accounts set role = ${role} where id = ${id}`)
  },
})

export interface NoteRow {
  readonly id: string
  readonly owner_id: string
  readonly title: string
  readonly body: string
  readonly label: string
  readonly is_shared: boolean
}

const noteColumns = sql.columns(['id', 'owner_id', 'title', 'body', 'label', 'is_shared'])

export const toNote = ({ id, owner_id: ownerId, title, body, label, is_shared: isShared }: NoteRow): Note => ({
  id,
  ownerId,
  title,
  body,
  label,
  isShared,
})

export const createNotes = (database: Database): NotesRepository => ({
  find: (id) => database.maybeOne(sql`select ${noteColumns} from notes where id = ${id}`, toNote),
  list({ ownerId, label, sort }) {
    const ofLabel = label === undefined ? sql.empty : sql`and label = ${label}`
    const order = sql.identifier(sort, sortable)
    return database.many(
      sql`select ${noteColumns} from notes where owner_id = ${ownerId} ${ofLabel} order by ${order} limit 100`,
      toNote,
    )
  },
  insert: (ownerId, { title, body, label }) =>
    database.one(
      sql`insert into notes (owner_id, title, body, label) values (${ownerId}, ${title}, ${body}, ${label})
          returning ${noteColumns}`,
      toNote,
    ),
  update: ({ id, ownerId }, { title = null, body = null, label = null }) =>
    database.maybeOne(
      sql`update notes set title = coalesce(${title}, title), body = coalesce(${body}, body),
          label = coalesce(${label}, label)
          where id = ${id} and owner_id = ${ownerId} returning ${noteColumns}`,
      toNote,
    ),
  async delete({ id, ownerId }) {
    return (await database.execute(sql`delete from notes where id = ${id} and owner_id = ${ownerId}`)) > 0
  },
})
