import type { Pool } from 'pg'
import type { Secret } from '../../src/core/config/secret.ts'
import type { Authenticate, Principal } from '../../src/core/auth/principal.ts'
import { refreshCookie } from '../../src/core/auth/refresh-cookie.ts'
import type { HeaderPolicy } from '../../src/core/http/header-policy.ts'
import type { Http } from '../../src/core/http/http.ts'
import type { WireReply } from '../../src/core/http/raw-call.ts'
import type { Stores } from './lab.ts'
import { type Account, type AccountsRepository, type NoteRow, type NotesRepository, toNote } from './repositories.ts'
import { type Checks, mergeCarelessly, type Parts, type Service } from './service.ts'

// What stands behind a guard, taken out in its turn: the parts that a careless service would have in its place. With
// both gone the attack has to succeed, or the test that it is stopped proves nothing.

export type Weaken = (parts: Parts, stores: Stores) => Parts

/** The service trusts its routes. */
export const withoutChecks: Weaken = (parts) => {
  const checks: Checks = { assertCan: () => {}, assertOwner: () => {} }
  return { ...parts, checks }
}

/** SQL put together from texts. */
export const splicedSql: Weaken = (parts, { pool }) => ({ ...parts, notes: splicedNotes(parts.notes, pool) })

const splicedNotes = (notes: NotesRepository, pool: Pool): NotesRepository => {
  const query = async (text: string) => (await pool.query<NoteRow>(text)).rows?.map(toNote)
  const columns = 'id, owner_id, title, body, label, is_shared'
  return {
    ...notes,
    find: async (id) => (await query(`select ${columns} from notes where id::text = '${id}'`))[0],
    list: ({ ownerId, label, sort }) =>
      query(
        `select ${columns} from notes where owner_id = '${ownerId}'
         ${label === undefined ? '' : `and label = '${label}'`} order by ${sort}`,
      ),
    insert: async (ownerId, { title, body, label }) => {
      const values = [ownerId, title, body, label].map((value) => `'${String(value)}'`).join(', ')
      const rows = await query(
        `insert into notes (owner_id, title, body, label) values (${values}) returning ${columns}`,
      )
      return first(rows)
    },
  }
}

/** SQL that reads whole rows, the hash of the password with them. */
export const wholeRows: Weaken = (parts, { pool }) => ({
  ...parts,
  accounts: {
    ...parts.accounts,
    async find(id) {
      const { rows } = await pool.query<Account>('select * from accounts where id = $1', [id])
      return first(rows)
    },
  },
})

/** The hash of a password as any other text. */
export const plainHashes: Weaken = (parts) => {
  const { accounts } = parts
  const findCredentials: AccountsRepository['findCredentials'] = async (by) => {
    const found = await accounts.findCredentials(by)
    return found && { ...found, passwordHash: plainText(found.passwordHash.reveal()) }
  }
  return { ...parts, accounts: { ...accounts, findCredentials } }
}

const plainText = (text: string): Secret => Object.assign(Object(text) as string, { reveal: () => text }) as never

/** A refresh cookie that browsers send along whoever asks. */
export const cookieForEverybody: Weaken = (parts) => ({
  ...parts,
  refreshCookie: (signedIn) => refreshCookie(signedIn).replace('SameSite=Strict', 'SameSite=None'),
})

/** A cookie is taken for who calls. */
export const ambientCredentials = (service: Service): Service => {
  const bearer = service.options.authenticate as Authenticate
  const authenticate: Authenticate = ({ authorization, cookie }) => {
    const token = cookie === undefined ? undefined : /(?:^|; )access=([^;]+)/.exec(cookie)?.[1]
    return bearer({ cookie, authorization: token === undefined ? authorization : `Bearer ${token}` })
  }
  return { ...service, options: { ...service.options, authenticate } }
}

/** Takes what a token says of itself for the truth. */
export const believesTokens = (service: Service): Service => {
  const authenticate: Authenticate = ({ authorization }): Principal | undefined => {
    const payload = authorization?.split('.')[1]
    if (payload === undefined) return undefined
    const { sub, permissions, roles } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as {
      sub: string
      permissions: string[]
      roles: string[]
    }
    return { id: sub, roles, permissions }
  }
  return { ...service, options: { ...service.options, authenticate } }
}

/** Sends what the header policy says and none of what replies have in any case. */
export const withoutReplyFloor = (http: Http, { options }: Service): Http => {
  const said = toMap((options.headers as HeaderPolicy).headers)
  return answering(http, async (raw, found) => {
    const reply = await http.answer(raw, found)
    const headers = [...toMap(reply.headers)].flatMap(([name, value]) => {
      const isJson = name === 'content-type' && value.startsWith('application/json')
      if (isJson) return [name, 'text/html; charset=utf-8']
      if (!floor.has(name)) return [name, value]
      const text = said.get(name)
      return text === undefined ? [] : [name, text]
    })
    return { ...reply, headers }
  })
}

const floor = new Set(['cache-control', 'x-content-type-options'])

function toMap(flat: readonly string[]): Map<string, string> {
  const map = new Map<string, string>()
  for (const [at, name] of flat.entries()) if (at % 2 === 0) map.set(name, flat[at + 1] ?? '')
  return map
}

/** Reads bodies as JSON and asks nothing more of them. */
export const withoutBodyReader = (http: Http): Http =>
  answering(http, async (raw, found) => {
    if (raw.method !== 'PATCH') return http.answer(raw, found)
    mergeCarelessly({}, JSON.parse(Buffer.from(await raw.readBody(100_000)).toString()) as object)
    return { status: 204, headers: [], body: undefined, closes: false } satisfies WireReply
  })

const answering = (http: Http, answer: Http['answer']): Http => ({
  routes: http.routes,
  find: (method, target) => http.find(method, target),
  refuse: (raw, thrown, route) => http.refuse(raw, thrown, route),
  explain: (method, path) => http.explain(method, path),
  answer,
  answerBeside: (raw) => http.answerBeside(raw),
})

function first<Item>([item]: readonly Item[]): Item {
  if (item === undefined) throw new Error('There is no row')
  return item
}
