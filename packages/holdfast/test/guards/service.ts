import { z } from 'zod'
import { apiHeaders } from '../../src/adapters/helmet/security-headers.ts'
import type { CreateHttpOptions } from '../../src/adapters/zod/create-http.ts'
import { type AccessRule, assertCan, assertOwner, permission, roles, signedIn } from '../../src/core/auth/access.ts'
import type { PasswordHasher } from '../../src/core/auth/password-hasher.ts'
import type { Principal } from '../../src/core/auth/principal.ts'
import { refreshCookie, refreshCookieName } from '../../src/core/auth/refresh-cookie.ts'
import type { Sessions, SignedIn } from '../../src/core/auth/sessions.ts'
import { actAs } from '../../src/core/context/acting.ts'
import { created, empty, noContent, ok, textOf } from '../../src/core/http/reply.ts'
import { del, get, patch, post, put, type Route } from '../../src/core/http/route.ts'
import { createLimiter } from '../../src/core/rate-limit/create-limiter.ts'
import type { LimitStore } from '../../src/core/rate-limit/limit-store.ts'
import type { LimitPolicy } from '../../src/core/rate-limit/limiter.ts'
import type { Transactions } from '../../src/core/transactions/transactions.ts'
import { NotFoundError, UnauthorizedError } from '../../src/foundation/errors.ts'
import type { Logger } from '../../src/foundation/logger.ts'
import {
  type AccountsRepository,
  createAccounts,
  createNotes,
  type Database,
  labels,
  type Note,
  type NoteChange,
  type NoteInput,
  type NotesRepository,
  sortable,
} from './repositories.ts'
import { createShop, type ShopRepository, shopRoutes } from './shop.ts'

// The service under attack: notes that belong to somebody, accounts with passwords, an admin. Written as a careful team
// would write it, once, and then attacked with one guard or another taken out.

/** What a service calls to have its own say on who may do what. */
export interface Checks {
  readonly assertCan: typeof assertCan
  readonly assertOwner: typeof assertOwner
}

/** What the service is made of. */
export interface Parts {
  readonly accounts: AccountsRepository
  readonly notes: NotesRepository
  readonly shop: ShopRepository
  readonly transactions: Transactions
  /** Classes of work that the database has connections for. */
  readonly workloads: readonly string[]
  readonly checks: Checks
  readonly hasher: PasswordHasher
  readonly sessions: Sessions
  readonly refreshCookie: (signedIn: SignedIn) => string
  /** Where limits are counted; by default in this process. */
  readonly limitStore?: LimitStore
  readonly logger: Logger
}

/** What the pipeline is made of: the guards of the kit are in here. */
export interface Service {
  readonly routes: readonly Route[]
  readonly options: CreateHttpOptions
}

export const apiHost = 'api.notes.example'
export const appOrigin = 'https://app.notes.example'

export const defaultParts = (database: Database, needs: Pick<Parts, 'hasher' | 'sessions' | 'logger'>): Parts => ({
  accounts: createAccounts(database),
  notes: createNotes(database.rowSecured),
  shop: createShop(database),
  transactions: database,
  workloads: database.workloads,
  checks: { assertCan, assertOwner },
  refreshCookie,
  ...needs,
})

/** Calls that one address may make in an hour: so few that none is earned back while an attack lasts. */
export const callsAllowed = 60
/** Failures that one address, or one account, may have in an hour. */
export const guessesAllowed = 5
/** Reports that one address may ask for in an hour. */
const reportsAllowed = 2

const policies: Readonly<Record<string, LimitPolicy>> = {
  address: { by: 'address', quota: callsAllowed, windowSeconds: 3600 },
  login: { by: 'address', quota: guessesAllowed, windowSeconds: 3600, counts: 'failures' },
  report: { by: 'address', quota: reportsAllowed, windowSeconds: 3600 },
  account: { by: { body: 'email' }, quota: guessesAllowed, windowSeconds: 3600, counts: 'failures' },
}

export function compose(parts: Parts): Service {
  const { sessions, logger, limitStore, workloads } = parts
  return {
    routes: [...accountRoutes(new Accounts(parts), parts), ...noteRoutes(new Notes(parts)), ...shopRoutes(parts)],
    options: {
      logger,
      topology: { trusted: ['127.0.0.0/8'] },
      headers: apiHeaders(),
      cors: { origins: [appOrigin], credentials: true },
      limiter: createLimiter({
        policies,
        everywhere: ['address'],
        // Longer than in production: that a machine is busy is not what these tests are about.
        maxWaitMs: 1000,
        logger,
        ...(limitStore === undefined ? {} : { store: limitStore }),
      }),
      authenticate: sessions.authenticate,
      isolations: workloads,
    },
  }
}

const Email = z.string().max(254).toLowerCase().pipe(z.email())
const Account = z.object({ id: z.uuid(), email: z.string(), role: z.string() })
const Credentials = z.object({ email: Email, password: z.string().min(1).max(200) })
const Tokens = z.object({ accessToken: z.string(), expiresInSeconds: z.int() })
const NoteFields = z.object({ title: z.string().min(1).max(80), body: z.string().max(2000), label: z.enum(labels) })
const Shown = z.object({ id: z.uuid(), title: z.string(), body: z.string(), label: z.string() })
const Comparison = z.object({ theirNotes: z.int(), own: z.array(Shown) })
const NoteQuery = z.object({ label: z.enum(labels).optional(), sort: z.enum(sortable).default('title') })
const Id = z.object({ id: z.uuid() })
const Preferences = z.object({ theme: z.enum(['light', 'dark']) })

const admin = roles('admin')
/** Never the refresh token: that is the cookie's, out of reach of scripts. */
const toTokens = ({ accessToken, expiresInSeconds }: SignedIn) => ({ accessToken, expiresInSeconds })

const accountRoutes = (accounts: Accounts, { refreshCookie: toCookie }: Parts): readonly Route[] => [
  get('/about', { access: 'public', reply: { 200: z.string() } }, () => ok('notes')),
  post('/accounts', { access: 'public', body: Credentials, reply: { 201: Account } }, async ({ body }) => {
    const account = await accounts.register(body)
    return created(`/accounts/${account.id}`, account)
  }),
  post(
    '/auth/login',
    { access: 'public', limit: ['login', 'account'], body: Credentials, reply: { 200: Tokens } },
    async ({ body }) => {
      const signedInNow = await accounts.signIn(body)
      return ok(toTokens(signedInNow), { 'set-cookie': toCookie(signedInNow) })
    },
  ),
  post(
    '/auth/refresh',
    {
      access: 'public',
      cookies: z.object({ [refreshCookieName]: z.string().max(512).optional() }),
      reply: { 200: Tokens },
    },
    async ({ cookies }) => {
      const signedInNow = await accounts.refresh(cookies[refreshCookieName])
      return ok(toTokens(signedInNow), { 'set-cookie': toCookie(signedInNow) })
    },
  ),
  get('/me', { access: signedIn, reply: { 200: Account } }, async ({ principal }) =>
    ok(await accounts.show(principal)),
  ),
  // Gives more than it declares: what handlers do on a bad day.
  get('/me/sign-in', { access: signedIn, reply: { 200: z.object({ email: z.string() }) } }, async ({ principal }) =>
    ok(await accounts.credentialsOf(principal)),
  ),
  patch('/me/preferences', { access: signedIn, body: Preferences, reply: { 200: Preferences } }, ({ body }) =>
    ok(mergeCarelessly({ theme: 'light' as const }, body)),
  ),
  put(
    '/accounts/:id/role',
    {
      access: admin,
      params: Id,
      body: z.object({ role: z.enum(['member', 'admin']) }),
      reply: { 204: empty },
    },
    async ({ principal, params, body }) => {
      await accounts.changeRole(principal, params.id, body.role)
      return noContent()
    },
  ),
]

const noteRoutes = (notes: Notes): readonly Route[] => [
  get(
    '/notes',
    { access: permission('notes:read'), query: NoteQuery, reply: { 200: z.array(Shown) } },
    async ({ principal, query }) => ok(await notes.list(principal, query)),
  ),
  post(
    '/notes',
    { access: permission('notes:write'), body: NoteFields, reply: { 201: Shown } },
    async ({ principal, body }) => {
      const note = await notes.add(principal, body)
      return created(`/notes/${note.id}`, note)
    },
  ),
  get(
    '/notes/:id',
    { access: permission('notes:read'), params: Id, reply: { 200: Shown } },
    async ({ principal, params }) => ok(await notes.show(principal, params.id)),
  ),
  patch(
    '/notes/:id',
    { access: permission('notes:write'), params: Id, body: NoteFields.partial(), reply: { 200: Shown } },
    async ({ principal, params, body }) => ok(await notes.change(principal, params.id, body)),
  ),
  del(
    '/notes/:id',
    { access: permission('notes:write'), params: Id, reply: { 204: empty } },
    async ({ principal, params }) => {
      await notes.remove(principal, params.id)
      return noContent()
    },
  ),
  get('/shared/:id', { access: 'public', params: Id, reply: { 200: Shown } }, async ({ params }) =>
    ok(await notes.showShared(params.id)),
  ),
  get(
    '/shared/:id/raw',
    { access: 'public', params: Id, reply: { 200: textOf('text/plain; charset=utf-8') } },
    async ({ params }) => ok((await notes.showShared(params.id)).body),
  ),
  get(
    '/shared/:id/author',
    { access: permission('notes:read'), params: Id, reply: { 200: Comparison } },
    async ({ principal, params }) => ok(await notes.compare(principal, params.id)),
  ),
]

class Accounts {
  readonly #parts: Parts
  readonly #checks: Checks

  constructor(parts: Parts) {
    this.#parts = parts
    this.#checks = parts.checks
  }

  async register(input: { readonly email: string; readonly password: string }) {
    const passwordHash = await this.#parts.hasher.hash(input.password)
    // Handed on whole; which columns are written is the repository's say.
    return this.#parts.accounts.insert({ ...input, passwordHash })
  }

  async signIn({ email, password }: { readonly email: string; readonly password: string }): Promise<SignedIn> {
    const found = await this.#parts.accounts.findCredentials({ email })
    const isRight = await this.#parts.hasher.verify(found?.passwordHash.reveal(), password)
    if (found === undefined || !isRight) {
      throw new UnauthorizedError('The e-mail address or the password is wrong.', { code: 'auth.login_failed' })
    }
    return this.#parts.sessions.start(found.id)
  }

  refresh(token: string | undefined): Promise<SignedIn> {
    return this.#parts.sessions.refresh(token ?? '')
  }

  async show(principal: Principal | undefined) {
    this.#checks.assertCan(principal, signedIn)
    return this.#parts.accounts.find(principal.id)
  }

  async credentialsOf(principal: Principal | undefined) {
    this.#checks.assertCan(principal, signedIn)
    const found = await this.#parts.accounts.findCredentials({ id: principal.id })
    if (found === undefined) throw new NotFoundError('accounts.not_found', 'There is no such account.')
    return found
  }

  async changeRole(principal: Principal | undefined, id: string, role: string): Promise<void> {
    this.#checks.assertCan(principal, admin)
    await this.#parts.accounts.changeRole(id, role)
  }
}

class Notes {
  readonly #notes: NotesRepository
  readonly #transactions: Transactions
  readonly #checks: Checks

  constructor({ notes, transactions, checks }: Parts) {
    this.#notes = notes
    this.#transactions = transactions
    this.#checks = checks
  }

  list(principal: Principal | undefined, query: { readonly label?: string | undefined; readonly sort: string }) {
    const owner = this.#known(principal)
    return this.#notes.list({ ownerId: owner.id, ...query })
  }

  add(principal: Principal | undefined, input: NoteInput): Promise<Note> {
    const owner = this.#known(principal)
    return this.#notes.insert(owner.id, input)
  }

  async show(principal: Principal | undefined, id: string): Promise<Note> {
    const note = await this.#notes.find(id)
    this.#checks.assertOwner(principal, note?.ownerId, notFound)
    return note ?? missing()
  }

  async showShared(id: string): Promise<Note> {
    const note = await this.#notes.find(id)
    return note?.isShared === true ? note : missing()
  }

  /** How many notes the author of this one has, who is asked for it, beside the caller's own: all as of one moment. */
  async compare(principal: Principal | undefined, id: string) {
    const owner = this.#known(principal)
    const { ownerId } = await this.showShared(id)
    const author = { id: ownerId, roles: [], permissions: [] }
    return await this.#transactions.transaction(async () => {
      const theirs = await actAs(author, () => this.#notes.list({ ownerId, sort: 'title' }))
      return { theirNotes: theirs.length, own: await this.#notes.list({ ownerId: owner.id, sort: 'title' }) }
    })
  }

  async change(principal: Principal | undefined, id: string, change: NoteChange): Promise<Note> {
    const owner = this.#known(principal)
    return (await this.#notes.update({ id, ownerId: owner.id }, change)) ?? missing()
  }

  async remove(principal: Principal | undefined, id: string): Promise<void> {
    const owner = this.#known(principal)
    if (!(await this.#notes.delete({ id, ownerId: owner.id }))) missing()
  }

  #known(principal: Principal | undefined, rule: AccessRule = signedIn): Principal {
    this.#checks.assertCan(principal, rule)
    return principal
  }
}

const notFound = (): NotFoundError => new NotFoundError('notes.not_found', 'There is no such note.')
const missing = (): never => {
  throw notFound()
}

/** The kind of merge that turns a key named `__proto__` into a member of every object there is. */
export function mergeCarelessly<Into extends object>(into: Into, from: object): Into {
  const target = into as Record<string, object>
  for (const [key, value] of Object.entries(from) as [string, object][]) {
    target[key] = isObject(value) ? mergeCarelessly(target[key] ?? {}, value) : value
  }
  return into
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
