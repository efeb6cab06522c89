import { withoutOwnerInSql, withoutRowSecurity } from '../careless-data.ts'
import { believesTokens, withoutChecks } from '../careless.ts'
import { adasNote, adasSecret, both, type Lab, type Person } from '../lab.ts'
import type { Outcome, Row, Unclaimed } from '../row.ts'
import { inWords } from '../wire.ts'
import { withoutAccess, withoutAuthentication, withoutRights } from '../without.ts'

const nobodyIsKnown = { service: withoutAuthentication }
const openRoutes = { service: withoutAccess }
const signedInSuffices = { service: withoutRights }
const trustingService = { parts: withoutChecks }

export const identityRows: readonly Row[] = [
  {
    guard: 'authentication',
    how: 'and the service does not check',
    attack: "A token that nobody signed says it is Ada's and asks for her note",
    stoppedBy: 'the access check of the route, which a missing principal does not pass',
    sees: { inPlace: '401 auth.token_invalid', guardGone: '401 auth.unauthenticated' },
    setting: both(trustingService, withoutRowSecurity),
    guardGone: nobodyIsKnown,
    bothGone: both(nobodyIsKnown, openRoutes),
    run: (lab) => read(lab, unsigned(lab.people.ada)),
  },
  {
    guard: 'authentication',
    how: 'and every route is public',
    attack: "A token that nobody signed says it is Ada's and asks for her note",
    stoppedBy: 'the service: assertOwner finds nobody',
    sees: { inPlace: '401 auth.token_invalid', guardGone: '401 auth.unauthenticated' },
    setting: withoutRowSecurity,
    guardGone: both(nobodyIsKnown, openRoutes),
    nextGone: trustingService,
    run: (lab) => read(lab, unsigned(lab.people.ada)),
  },
  {
    guard: 'authentication',
    how: 'and every route is public, and the service does not check',
    attack: "A token that nobody signed says it is Ada's and asks for her note",
    stoppedBy: 'row-level security: to nobody there is no such row',
    sees: { inPlace: '401 auth.token_invalid', guardGone: '404 notes.not_found' },
    setting: trustingService,
    guardGone: both(nobodyIsKnown, openRoutes),
    nextGone: withoutRowSecurity,
    run: (lab) => read(lab, unsigned(lab.people.ada)),
  },
]

export const accessRows: readonly Row[] = [
  {
    guard: 'access at the route',
    how: 'to have signed in is enough',
    attack: "An account without the right to read notes asks for somebody else's",
    stoppedBy: "the service: assertOwner; somebody else's note looks like none",
    sees: { inPlace: '403 auth.forbidden', guardGone: '404 notes.not_found' },
    setting: withoutRowSecurity,
    guardGone: signedInSuffices,
    nextGone: trustingService,
    run: (lab) => read(lab, lab.people.guest.bearer),
  },
  {
    guard: 'access at the route',
    how: 'every route is public',
    attack: "Somebody who never signed in asks for Ada's note",
    stoppedBy: 'the service: assertOwner finds nobody',
    sees: { inPlace: '401 auth.unauthenticated', guardGone: '401 auth.unauthenticated' },
    setting: withoutRowSecurity,
    guardGone: openRoutes,
    nextGone: trustingService,
    run: (lab) => read(lab, undefined),
  },
  {
    guard: 'access at the route',
    how: 'every route is public, and the service does not check',
    attack: "Somebody who never signed in asks for Ada's note",
    stoppedBy: 'row-level security: to nobody there is no such row',
    sees: { inPlace: '401 auth.unauthenticated', guardGone: '404 notes.not_found' },
    setting: trustingService,
    guardGone: openRoutes,
    nextGone: withoutRowSecurity,
    run: (lab) => read(lab, undefined),
  },
  {
    guard: 'access at the route',
    how: 'to have signed in is enough, and the service does not check',
    attack: "An account without the right to write notes deletes somebody else's",
    stoppedBy: 'ownership in SQL: `where id = … and owner_id = …`',
    sees: { inPlace: '403 auth.forbidden', guardGone: '404 notes.not_found' },
    setting: both(trustingService, withoutRowSecurity),
    guardGone: signedInSuffices,
    nextGone: { parts: withoutOwnerInSql },
    run: (lab) => remove(lab, lab.people.guest.bearer),
  },
  {
    guard: 'access at the route',
    how: 'to have signed in is enough',
    attack: 'An ordinary account makes itself an admin',
    stoppedBy: 'the service: assertCan(admin)',
    sees: { inPlace: '403 auth.forbidden', guardGone: '403 auth.forbidden' },
    guardGone: signedInSuffices,
    nextGone: trustingService,
    run: promote,
  },
]

export const identityUnclaimed: readonly Unclaimed[] = [
  {
    guard: 'authentication',
    attack: "A token that nobody signed says it is Ada's, and the authenticator believes it",
    why: 'Everything behind authentication acts on what it says: to the route, the service and the SQL the caller is Ada. An authenticator of your own has to verify.',
    guardGone: { service: believesTokens },
    run: (lab) => read(lab, unsigned(lab.people.ada)),
  },
]

async function read({ send }: Lab, bearer: string | undefined): Promise<Outcome> {
  const headers = bearer === undefined ? {} : { authorization: bearer }
  const received = await send({ path: `/notes/${adasNote}`, headers })
  return { sees: inWords(received), succeeded: received.text.includes(adasSecret) }
}

async function remove({ send, pool }: Lab, bearer: string): Promise<Outcome> {
  const received = await send({ method: 'DELETE', path: `/notes/${adasNote}`, headers: { authorization: bearer } })
  const { rowCount } = await pool.query('select from notes where id = $1', [adasNote])
  return { sees: inWords(received), succeeded: rowCount === 0 }
}

async function promote({ send, pool, people: { guest } }: Lab): Promise<Outcome> {
  const received = await send({
    method: 'PUT',
    path: `/accounts/${guest.id}/role`,
    headers: { authorization: guest.bearer },
    body: { role: 'admin' },
  })
  const { rows } = await pool.query<{ role: string }>('select role from accounts where id = $1', [guest.id])
  return { sees: inWords(received), succeeded: rows[0]?.role === 'admin' }
}

/** A token as anybody can write it down. */
function unsigned({ id }: Person): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const nextYear = Math.floor(Date.now() / 1000) + 365 * 86_400
  const claims = { sub: id, sid: id, exp: nextYear, roles: ['admin'], permissions: ['notes:read', 'notes:write'] }
  return `Bearer ${part({ alg: 'none', typ: 'at+jwt' })}.${part(claims)}.`
}
