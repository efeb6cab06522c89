import { includeAsScript, openAsPage, sharedCache } from '../browser.ts'
import { withoutReplyFloor } from '../careless.ts'
import { adasNote, adasSecret, type Lab, mallorysNote } from '../lab.ts'
import type { Outcome, Row } from '../row.ts'
import { appOrigin } from '../service.ts'
import { inWords } from '../wire.ts'
import { withoutHeaders, withoutPrivacy } from '../without.ts'

const noHeaders = { service: withoutHeaders }
const noFloor = { http: withoutReplyFloor }

const ranIf = (sees: string): Outcome => ({ sees, succeeded: sees === 'its script runs' })

export const headerRows: readonly Row[] = [
  {
    guard: 'security headers',
    attack: 'A note that holds a script is opened in a browser by its address',
    stoppedBy: 'the reply writer: the type is JSON, which no browser renders',
    sees: {
      inPlace: 'shown as text (application/json)',
      guardGone: 'shown as text (application/json)',
      nextGone: 'a page whose script does not run (content-security-policy)',
    },
    guardGone: noHeaders,
    nextGone: noFloor,
    run: async ({ send }) => ranIf(openAsPage(await send({ path: `/shared/${mallorysNote}` }))),
  },
  {
    guard: 'security headers',
    attack: 'A note that holds a script is named as the source of a script by a page of another origin',
    stoppedBy: 'the reply writer: nosniff, whatever the policy says',
    sees: {
      inPlace: 'withheld (cross-origin-resource-policy)',
      guardGone: 'not run (nosniff)',
    },
    guardGone: noHeaders,
    nextGone: noFloor,
    run: async ({ send }) =>
      ranIf(includeAsScript(await send({ path: `/shared/${mallorysNote}/raw`, headers: { referer: appOrigin } }))),
  },
  {
    guard: 'security headers',
    how: 'no policy',
    attack: 'A shared cache keeps what Ada read and gives it to whoever asks for that address next',
    stoppedBy: 'the reply writer: no-store on what is made for a principal',
    sees: { inPlace: '401 auth.unauthenticated', guardGone: '401 auth.unauthenticated' },
    guardGone: noHeaders,
    nextGone: noFloor,
    run: readThroughCache,
  },
  {
    guard: 'security headers',
    how: 'a policy that says public',
    attack: 'A shared cache is told to keep what Ada read',
    stoppedBy: 'the reply writer: no-store on what is made for a principal, against the policy',
    sees: { inPlace: '401 auth.unauthenticated', guardGone: '401 auth.unauthenticated' },
    guardGone: { service: withoutPrivacy },
    nextGone: noFloor,
    run: readThroughCache,
  },
]

async function readThroughCache({ send, people }: Lab): Promise<Outcome> {
  const cache = sharedCache(send)
  const path = `/notes/${adasNote}`
  await cache({ path, headers: { authorization: people.ada.bearer } })
  const received = await cache({ path })
  return { sees: inWords(received), succeeded: received.text.includes(adasSecret) }
}
