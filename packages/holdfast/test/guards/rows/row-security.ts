import {
  asOwner,
  everythingIsShared,
  firstStays,
  guestsNameThemselves,
  nobodyUnsaid,
  oneConnection,
  splicedAsCaller,
  splicedCaller,
  splitsPermissions,
  callerStays,
  staysAndNobodyUnsaid,
  withoutOwnerInSql,
  withoutRowSecured,
  withoutRowSecurity,
} from '../careless-data.ts'
import { withoutChecks } from '../careless.ts'
import { adasNote, adasSecret, adasSharedNote, both, type Lab, password, type Variant } from '../lab.ts'
import type { Outcome, Row, Unclaimed } from '../row.ts'
import { inWords, type Received } from '../wire.ts'
import { withoutRights, withoutValidation } from '../without.ts'
import { asMallory } from './validation.ts'

const trustingService: Variant = { parts: withoutChecks }
const askedByAnybody: Variant = { parts: withoutOwnerInSql }
const signedInSuffices: Variant = { service: withoutRights }
const notFound = '404 notes.not_found'
const ownAndShared = '200, own and shared notes only'

/** Whoever asks whose a note is, with row-level security behind them. */
export const ownershipRows: readonly Row[] = [
  {
    guard: 'ownership in the service',
    how: 'and at the route to have signed in is enough',
    attack: "An account reads Ada's note by its id",
    stoppedBy: 'row-level security: to anybody else there is no such row',
    sees: { inPlace: notFound, guardGone: notFound },
    setting: signedInSuffices,
    guardGone: trustingService,
    nextGone: withoutRowSecurity,
    run: readAdasNote,
  },
  {
    guard: 'ownership in SQL',
    how: 'a list without its `where`',
    attack: 'An account lists its notes and gets those of everybody',
    stoppedBy: 'row-level security: a list of everything is a list of what the caller may see',
    sees: { inPlace: '200, own notes only', guardGone: ownAndShared },
    guardGone: askedByAnybody,
    nextGone: withoutRowSecurity,
    run: async (lab) => lookForSecret(await asMallory(lab, { path: '/notes' })),
  },
  {
    guard: 'ownership in SQL',
    how: 'an update without its `where`',
    attack: "An account changes Ada's note",
    stoppedBy: 'row-level security: no row to change',
    sees: { inPlace: notFound, guardGone: notFound },
    guardGone: askedByAnybody,
    nextGone: withoutRowSecurity,
    async run(lab) {
      const body = { title: 'Changed' }
      const received = await asMallory(lab, { method: 'PATCH', path: `/notes/${adasNote}`, body })
      const { rowCount } = await lab.pool.query(`select from notes where title = 'Changed'`)
      return { sees: inWords(received), succeeded: rowCount !== 0 }
    },
  },
  {
    guard: 'ownership in SQL',
    how: 'a delete without its `where`; neither route nor service ask',
    attack: "An account deletes Ada's note",
    stoppedBy: 'row-level security: no row to delete',
    sees: { inPlace: notFound, guardGone: notFound },
    setting: both(trustingService, signedInSuffices),
    guardGone: askedByAnybody,
    nextGone: withoutRowSecurity,
    async run(lab) {
      const received = await asMallory(lab, { method: 'DELETE', path: `/notes/${adasNote}` })
      const { rowCount } = await lab.pool.query('select from notes where id = $1', [adasNote])
      return { sees: inWords(received), succeeded: rowCount === 0 }
    },
  },
]

const switchedOff: Variant = { ddl: 'alter table notes disable row level security' }
const unasked: Variant = { startsUnchecked: true }
const doesNotStart = 'a service that does not start'

/** Row-level security itself, where nothing else asks whose a note is. */
export const rowSecurityRows: readonly Row[] = [
  {
    guard: 'row-level security',
    how: 'a migration left it switched off, and the service does not ask whose note it is',
    attack: "An account reads Ada's note by its id",
    stoppedBy: '`assertRowSecurity`: the service does not start',
    sees: { inPlace: notFound, guardGone: doesNotStart },
    setting: trustingService,
    guardGone: switchedOff,
    nextGone: unasked,
    run: readAdasNote,
  },
  {
    guard: 'row-level security',
    how: 'the service connects as the owner of its tables, and does not ask whose note it is',
    attack: "An account reads Ada's note by its id",
    stoppedBy: '`assertRowSecurity`: the service does not start',
    sees: { inPlace: notFound, guardGone: doesNotStart },
    setting: trustingService,
    guardGone: { connects: asOwner },
    nextGone: unasked,
    run: readAdasNote,
  },
  {
    guard: 'row-level security',
    how: 'the service connects as the owner of its tables, and did not ask at the start',
    attack: "An account reads Ada's note by its id",
    stoppedBy: "the service: assertOwner; somebody else's note looks like none",
    sees: { inPlace: notFound, guardGone: notFound },
    setting: unasked,
    guardGone: { connects: asOwner },
    nextGone: trustingService,
    run: readAdasNote,
  },
  {
    guard: 'row-level security',
    how: 'a repository asks `database` and not `database.rowSecured`, and the service does not ask whose note it is',
    attack: "An account reads Ada's note by its id",
    stoppedBy: 'the policies: who does not say who asks is nobody',
    sees: { inPlace: notFound, guardGone: notFound },
    setting: both(trustingService, unasked),
    guardGone: { parts: withoutRowSecured },
    bothGone: { parts: withoutRowSecured, connects: asOwner },
    run: readAdasNote,
  },
  {
    guard: 'row-level security',
    how: 'who asked stays with the connection, and the service does not ask whose note it is',
    attack: "Somebody who never signed in asks for Ada's note, right after her, over the one connection there is",
    stoppedBy: 'each query says who asks, also that nobody does',
    sees: { inPlace: notFound, guardGone: notFound },
    setting: { parts: everythingIsShared, connects: oneConnection },
    guardGone: callerStays,
    nextGone: nobodyUnsaid,
    bothGone: staysAndNobodyUnsaid,
    run: readAfterAda,
  },
  {
    guard: 'row-level security',
    how: 'whoever asks first in a transaction is taken for who asks the rest',
    attack: 'A transaction asks in the name of Ada, and then lists the notes of the caller',
    stoppedBy: 'ownership in SQL: `where owner_id = …`',
    sees: { inPlace: '200, own notes only', guardGone: '200, own notes only', nextGone: ownAndShared },
    guardGone: firstStays,
    nextGone: askedByAnybody,
    run: async (lab) => lookForSecret(await asMallory(lab, { path: `/shared/${adasSharedNote}/author` })),
  },
]

/** Names that people choose, and what policies would read in them. */
export const nameRows: readonly Row[] = [
  {
    guard: 'authentication',
    how: 'guests may have any name, and the service does not ask whose note it is',
    attack: 'The name of a guest is SQL that says to be Ada, and asks for her note',
    stoppedBy: 'typed parameters: row-level security is told a name, and no SQL',
    sees: { inPlace: '401 auth.malformed', guardGone: '500 internal' },
    setting: trustingService,
    guardGone: { service: guestsNameThemselves },
    nextGone: splicedCaller,
    async run({ send, people: { ada } }) {
      const name = `', true), pg_catalog.set_config('app.principal_id', '${ada.id}', true), ('`
      return lookForSecret(await send({ path: `/notes/${adasNote}`, headers: { authorization: `Guest ${name}` } }))
    },
  },
]

const anyName: Variant = { ddl: 'alter table accounts drop constraint accounts_permissions' }

export const constraintRows: readonly Row[] = [
  {
    guard: 'constraints',
    how: 'permissions may have any name, and the service does not ask whose note it is',
    attack: 'An account whose permission is named `mine,notes:supervise` reads what supervisors read',
    stoppedBy: 'row-level security: what reads as two names is not said',
    sees: { inPlace: notFound, guardGone: '500 internal' },
    setting: trustingService,
    guardGone: anyName,
    nextGone: { service: splitsPermissions },
    run: readWithChosenName,
  },
]

export const rowSecurityUnclaimed: readonly Unclaimed[] = [
  {
    guard: 'validation',
    attack: 'SQL in the path of a repository that puts texts together: it says to be Ada, and then reads her note',
    why: 'Row-level security asks the connection who asks, and whoever can have SQL of their own run can say to be anybody. It guards against queries that forget, not against those that were smuggled in; typed parameters do.',
    guardGone: both({ service: withoutValidation }, { parts: splicedAsCaller }),
    async run(lab) {
      const claim = `select set_config('app.principal_id', '${lab.people.ada.id}', true) as said offset 0`
      const note = `select * from notes where claimed.said is not null and id = '${adasNote}' offset 0`
      const id = `' union select id, '${lab.people.mallory.id}', title, body, label, is_shared
        from (${claim}) as claimed, lateral (${note}) as note where '' = '`
      return lookForSecret(await asMallory(lab, { path: `/notes/${encodeURIComponent(id)}` }))
    },
  },
]

async function readAdasNote(lab: Lab): Promise<Outcome> {
  return lookForSecret(await asMallory(lab, { path: `/notes/${adasNote}` }))
}

async function readAfterAda({ send, people: { ada } }: Lab): Promise<Outcome> {
  const hers = await send({ path: `/notes/${adasNote}`, headers: { authorization: ada.bearer } })
  if (hers.status !== 200) return { sees: `Ada sees ${inWords(hers)}`, succeeded: false }
  return lookForSecret(await send({ path: `/shared/${adasNote}` }))
}

async function readWithChosenName({ send, pool, people: { mallory } }: Lab): Promise<Outcome> {
  const nameThem = (permissions: readonly string[]) =>
    pool.query('update accounts set permissions = $2 where id = $1', [mallory.id, permissions])
  await nameThem(['notes:read', 'mine,notes:supervise']).catch(() => {})
  const login = await send({ method: 'POST', path: '/auth/login', body: { email: mallory.email, password } })
  const { data } = JSON.parse(login.text) as { readonly data: { readonly accessToken: string } }
  const headers = { authorization: `Bearer ${data.accessToken}` }
  const received = await send({ path: `/notes/${adasNote}`, headers })
  await nameThem(['notes:read', 'notes:write'])
  return lookForSecret(received)
}

function lookForSecret(received: Received): Outcome {
  const succeeded = received.text.includes(adasSecret)
  if (received.status !== 200 || succeeded) return { sees: inWords(received), succeeded }
  const areShared = received.text.includes('"Open house"')
  return { sees: areShared ? ownAndShared : '200, own notes only', succeeded }
}
