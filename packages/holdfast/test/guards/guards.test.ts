import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { edges } from '../edges.ts'
import { both, type Ground, type Lab, password, prepareGround, startLab, type Variant } from './lab.ts'
import type { Outcome, Row } from './row.ts'
import { rows, unclaimed } from './rows.ts'

let ground: Ground
beforeAll(async () => {
  ground = await prepareGround()
}, 90_000)
afterAll(() => ground?.stop())

const table = rows.map((row) => ({ ...row, goes: [row.guard, row.how].filter(Boolean).join(', ') }))

interface Replay extends Outcome {
  readonly leaks: readonly string[]
  readonly isOthersChanged: boolean
}

describe.each(Object.entries(edges))('given a service on %s', (_name, start) => {
  const replay = async (row: Pick<Row, 'run' | 'setting'>, gone: Variant = {}): Promise<Replay> => {
    const lab = await startLab(ground, start, both(row.setting ?? {}, gone))
    try {
      const before = await lab.othersRows()
      const outcome = await row.run(lab)
      const after = await lab.othersRows()
      return { ...outcome, leaks: leaksIn(lab), isOthersChanged: JSON.stringify(before) !== JSON.stringify(after) }
    } finally {
      await lab.stop()
    }
  }
  const stopped = (sees: string): Replay => ({ sees, succeeded: false, leaks: [], isOthersChanged: false })

  describe.each(table)('given an attack: $attack ($goes)', (row) => {
    test('when all is in place, it is stopped', async () => {
      expect(await replay(row)).toEqual(stopped(row.sees.inPlace))
    })

    test(`when ${row.guard} is gone, it is stopped by ${row.stoppedBy}`, async () => {
      expect(await replay(row, row.guardGone)).toEqual(stopped(row.sees.guardGone))
    })

    test('when both are gone, it succeeds', async () => {
      const bothGone = row.bothGone ?? both(row.guardGone, row.nextGone ?? {})
      expect(await replay(row, bothGone)).toMatchObject({ succeeded: true })
    })
  })

  test.each(table.filter(({ nextGone }) => nextGone !== undefined))(
    'when only who comes after $goes is gone, the guard stops this: $attack',
    async (row) => {
      expect(await replay(row, row.nextGone)).toEqual(stopped(row.sees.nextGone ?? row.sees.inPlace))
    },
  )

  test('when somebody signs in, no other host can set or read their cookie, and no script the token', async () => {
    const lab = await startLab(ground, start, {})
    const body = { email: lab.people.ada.email, password }
    const { cookies, text } = await lab.send({ method: 'POST', path: '/auth/login', body })
    await lab.stop()
    // RFC 6265bis, section 4.1.3.2: Secure, the path `/` and no Domain, or browsers refuse the name.
    expect(cookies).toEqual([
      expect.stringMatching(
        /^__Host-refresh=hfr_[\w-]{86}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d{5,}$/,
      ),
    ])
    expect(text).not.toContain('hfr_')
  })

  test.each(unclaimed)('when $guard is gone and an attack is: $attack, nothing stops it', async (row) => {
    expect(await replay(row)).toMatchObject({ succeeded: false })
    expect(await replay(row, row.guardGone)).toMatchObject({ succeeded: true })
  })
})

/** What no caller may learn from a reply, whatever is in place. Long enough that no token holds it by chance. */
const inner =
  /\$argon2|password_hash|owner_id|violates|syntax error|invalid input syntax|relation "|"public"|node_modules|\.ts:\d|TypeError|pg_catalog|postgres|row-level security|permission denied|notes_service/gi

/** Words that the sender used may come back: a refusal names the member that it is about. */
const leaksIn = ({ replies }: Lab): string[] =>
  replies.flatMap(({ sent, received: { text, headers } }) => {
    const asked = decodeURIComponent(sent.path) + JSON.stringify(sent.body)
    const found = [...(text + JSON.stringify(headers)).matchAll(inner)].map(([word]) => word)
    return found.filter((word) => !asked.includes(word))
  })
