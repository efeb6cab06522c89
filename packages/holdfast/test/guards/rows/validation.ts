import { whateverColumns, withoutRowSecurity } from '../careless-data.ts'
import { splicedSql, withoutBodyReader } from '../careless.ts'
import { adasNote, adasSecret, type Lab, mallorysNote } from '../lab.ts'
import { serviceRole } from '../repositories.ts'
import type { Outcome, Row } from '../row.ts'
import { inWords, type Received, type Sent } from '../wire.ts'
import { withoutValidation } from '../without.ts'

const invalid = '400 request.invalid'
const defect = '500 internal'

const guardGone = { service: withoutValidation }
const spliced = { parts: splicedSql }
const anyColumn = { parts: whateverColumns }
const without = (table: string, constraint: string) => ({ ddl: `alter table ${table} drop constraint ${constraint}` })

/** The service may write every column, also those that are not its own to fill. */
const everyColumn = `grant insert on accounts to ${serviceRole}`

const note = { title: 'Mine', body: 'Nothing in it', label: 'work' }

const adminFromBody = "A member too many: `role: 'admin'` with a new account"
const noteForAda = 'A member too many: `owner_id` of Ada, so that she has a note that she did not write'

export const validationRows: readonly Row[] = [
  {
    guard: 'validation',
    attack: "SQL in the path that gives somebody else's note a new owner as it is read",
    stoppedBy: 'typed parameters: the text is no uuid, and never SQL',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: spliced,
    async run(lab) {
      const { mallory, ada } = lab.people
      const id = `' union select id, '${mallory.id}', title, body, label, is_shared from notes where owner_id = '${ada.id}`
      const received = await asMallory(lab, { path: `/notes/${encodeURIComponent(id)}` })
      return { sees: inWords(received), succeeded: received.text.includes(adasSecret) }
    },
  },
  {
    guard: 'validation',
    attack: 'SQL in a value of the query that widens a list to the notes of everybody',
    stoppedBy: 'typed parameters: a label that no note has',
    sees: { inPlace: invalid, guardGone: '200, an empty list' },
    guardGone,
    nextGone: spliced,
    async run(lab) {
      const label = "x' or owner_id <> owner_id or '1' = '1"
      const received = await asMallory(lab, { path: `/notes?label=${encodeURIComponent(label)}&sort=title` })
      const isEmpty = received.text === '{"data":[]}'
      return {
        sees: isEmpty ? '200, an empty list' : inWords(received),
        succeeded: received.text.includes(adasSecret),
      }
    },
  },
  {
    guard: 'validation',
    attack: "SQL in place of the column to sort by, so that the order tells whether a guess at Ada's note is right",
    stoppedBy: '`sql.identifier`: a name is one of those written in code, and never SQL',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: spliced,
    async run(lab) {
      const [right, wrong] = [await sortByGuess(lab, 'the key is'), await sortByGuess(lab, 'no such text')]
      return { sees: inWords(right), succeeded: right.status === 200 && right.text !== wrong.text }
    },
  },
  {
    guard: 'validation',
    attack: 'SQL in a member of the body, which deletes all notes',
    stoppedBy: 'typed parameters, and then a constraint: no such label',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: spliced,
    async run(lab) {
      const label = "work'); delete from notes; --"
      const received = await asMallory(lab, { method: 'POST', path: '/notes', body: { ...note, label } })
      return { sees: inWords(received), succeeded: !(await isThere(lab, adasNote)) }
    },
  },
  {
    guard: 'validation',
    attack: adminFromBody,
    stoppedBy: 'columns written by name: nobody asks for a role',
    sees: { inPlace: invalid, guardGone: '201' },
    setting: { ddl: everyColumn },
    guardGone,
    nextGone: anyColumn,
    run: registerAsAdmin,
  },
  {
    guard: 'validation',
    attack: noteForAda,
    stoppedBy: 'columns written by name: an owner is not among what changes',
    sees: { inPlace: invalid, guardGone: '200' },
    setting: withoutRowSecurity,
    guardGone,
    nextGone: anyColumn,
    run: giveNoteAway,
  },
  {
    guard: 'validation',
    attack: 'A title of 50 000 characters',
    stoppedBy: 'a constraint of the database: length',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: without('notes', 'notes_title'),
    run: (lab) => storeNote(lab, { ...note, title: 'x'.repeat(50_000) }),
  },
  {
    guard: 'validation',
    attack: 'A note without a body: null',
    stoppedBy: 'a constraint of the database: not null',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: { ddl: 'alter table notes alter column body drop not null' },
    run: (lab) => storeNote(lab, { ...note, body: null }),
  },
  {
    guard: 'validation',
    attack: 'An object in place of a text',
    stoppedBy: 'the `sql` tag: an object is no value of a query',
    sees: { inPlace: invalid, guardGone: defect },
    guardGone,
    nextGone: spliced,
    run: (lab) => storeNote(lab, { ...note, title: { $ne: '' } }),
  },
  {
    guard: 'validation',
    attack: "Ada's address in capitals, for a second account that people take for hers",
    stoppedBy: 'constraints of the database: one form, and unique in it',
    sees: { inPlace: '409 accounts.email_taken', guardGone: '400 accounts.email_malformed' },
    guardGone,
    nextGone: without('accounts', 'accounts_email_form'),
    async run({ send, pool }) {
      const body = { email: 'ADA@notes.example', password: 'a new password' }
      const received = await send({ method: 'POST', path: '/accounts', body })
      const { rowCount } = await pool.query(`select from accounts where lower(email) = 'ada@notes.example'`)
      return { sees: inWords(received), succeeded: rowCount !== 1 }
    },
  },
  {
    guard: 'validation',
    attack: 'A key `__proto__` in a body that is merged without care',
    stoppedBy: 'the reader of bodies, which no schema has to ask',
    sees: { inPlace: invalid, guardGone: invalid },
    guardGone,
    bothGone: { http: withoutBodyReader },
    async run(lab) {
      const body = '{"__proto__":{"isAdmin":true}}'
      const received = await asMallory(lab, { method: 'PATCH', path: '/me/preferences', body })
      const isPolluted = Reflect.has({}, 'isAdmin')
      Reflect.deleteProperty(Object.prototype, 'isAdmin')
      return { sees: inWords(received), succeeded: isPolluted }
    },
  },
]

/** What the database says of columns and rows, whatever the repository writes. */
export const columnRows: readonly Row[] = [
  {
    guard: 'columns by name',
    how: 'every member is written, and there is no validation',
    attack: adminFromBody,
    stoppedBy: 'the rights of the role that the service works as: that column is not its to write',
    sees: { inPlace: '201', guardGone: defect },
    setting: guardGone,
    guardGone: anyColumn,
    nextGone: { ddl: everyColumn },
    run: registerAsAdmin,
  },
  {
    guard: 'columns by name',
    how: 'every member is written, and there is no validation',
    attack: noteForAda,
    stoppedBy: 'row-level security: nobody gives a row to somebody else',
    sees: { inPlace: '200', guardGone: defect },
    setting: guardGone,
    guardGone: anyColumn,
    nextGone: withoutRowSecurity,
    run: giveNoteAway,
  },
  {
    guard: 'columns by name',
    how: 'every member is written, and there is no validation',
    attack: 'A member too many: `owner_id` of Ada with a new note, which is then in her name',
    stoppedBy: 'row-level security: nobody writes a row for somebody else',
    sees: { inPlace: '201', guardGone: defect },
    setting: guardGone,
    guardGone: anyColumn,
    nextGone: withoutRowSecurity,
    run: writeInHerName,
  },
]

async function registerAsAdmin({ send, pool }: Lab): Promise<Outcome> {
  const email = 'new@notes.example'
  const body = { email, password: 'a new password', role: 'admin' }
  const received = await send({ method: 'POST', path: '/accounts', body })
  const { rows } = await pool.query<{ role: string }>('select role from accounts where email = $1', [email])
  return { sees: inWords(received), succeeded: rows[0]?.role === 'admin' }
}

async function giveNoteAway(lab: Lab): Promise<Outcome> {
  const body = { title: 'Pay me', owner_id: lab.people.ada.id }
  const received = await asMallory(lab, { method: 'PATCH', path: `/notes/${mallorysNote}`, body })
  const { rows } = await lab.pool.query<{ owner_id: string }>('select owner_id from notes where id = $1', [
    mallorysNote,
  ])
  return { sees: inWords(received), succeeded: rows[0]?.owner_id === lab.people.ada.id }
}

async function writeInHerName(lab: Lab): Promise<Outcome> {
  const body = { ...note, title: 'I owe you', owner_id: lab.people.ada.id }
  const received = await asMallory(lab, { method: 'POST', path: '/notes', body })
  const { rowCount } = await lab.pool.query(`select from notes where title = 'I owe you' and owner_id = $1`, [
    lab.people.ada.id,
  ])
  return { sees: inWords(received), succeeded: rowCount !== 0 }
}

/** Calls as somebody who has an account like everybody's. */
export const asMallory = ({ send, people: { mallory } }: Lab, sent: Sent): Promise<Received> =>
  send({ ...sent, headers: { authorization: mallory.bearer } })

function sortByGuess(lab: Lab, guess: string): Promise<Received> {
  const isRight = `exists (select from notes where id = '${adasNote}' and body like '${guess}%')`
  const sort = encodeURIComponent(`(case when ${isRight} then title else label end)`)
  return asMallory(lab, { path: `/notes?sort=${sort}` })
}

async function isThere({ pool }: Lab, id: string): Promise<boolean> {
  return (await pool.query('select from notes where id = $1', [id])).rowCount === 1
}

/** Succeeds when anything was stored. */
async function storeNote(lab: Lab, body: object): Promise<Outcome> {
  const before = await countNotes(lab)
  const received = await asMallory(lab, { method: 'POST', path: '/notes', body })
  return { sees: inWords(received), succeeded: (await countNotes(lab)) !== before }
}

const countNotes = async ({ pool }: Lab): Promise<number | null> => (await pool.query('select from notes')).rowCount
