import { plainHashes, wholeRows } from '../careless.ts'
import type { Lab } from '../lab.ts'
import type { Outcome, Row } from '../row.ts'
import { inWords } from '../wire.ts'
import { withoutReplies } from '../without.ts'

const guardGone = { service: withoutReplies }

export const replyRows: readonly Row[] = [
  {
    guard: 'reply allow-list',
    attack: 'A handler gives a whole row of accounts',
    stoppedBy: 'the repository: it reads columns by name, and the hash is not among them',
    sees: { inPlace: '200, no hash', guardGone: '200, no hash' },
    guardGone,
    nextGone: { parts: wholeRows },
    run: (lab) => lookForHash(lab, '/me'),
  },
  {
    guard: 'reply allow-list',
    attack: 'A handler gives the very record that passwords are checked with',
    stoppedBy: 'the wrapper of secrets: the hash is written as `[secret]`',
    sees: { inPlace: '200, no hash', guardGone: '200, `[secret]`' },
    guardGone,
    nextGone: { parts: plainHashes },
    run: (lab) => lookForHash(lab, '/me/sign-in'),
  },
]

async function lookForHash({ send, people }: Lab, path: string): Promise<Outcome> {
  const received = await send({ path, headers: { authorization: people.ada.bearer } })
  const succeeded = received.text.includes('$argon2id$')
  const isWrapped = received.text.includes('[secret]')
  if (received.status !== 200 || !received.text.includes(people.ada.email)) {
    return { sees: `no account: ${inWords(received)}`, succeeded }
  }
  return { sees: succeeded ? '200, the hash' : isWrapped ? '200, `[secret]`' : '200, no hash', succeeded }
}
