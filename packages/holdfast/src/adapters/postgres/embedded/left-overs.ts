import type pg from 'pg'
import { familyOf, readTestName } from './test-names.ts'

const dayMs = 24 * 3_600_000
/** How long the template of files that have changed since may still be wanted, by a run that began before. */
const outdatedMs = 600_000
/** So that no start takes long; the rest goes with the next one. */
const mostAtOnce = 50

/**
 * Drops what test runs have left behind: databases of processes of this machine that have ended, templates of the same
 * family that are out of date, and whatever is a day old. Only what carries a name as we give them, and never what
 * somebody is connected to. What cannot be dropped stays.
 *
 * @param family - of which only the template `current` is wanted
 */
export async function sweepLeftOvers(admin: pg.Client, family: string, current: string, now: number): Promise<void> {
  // One at a time is enough.
  const { rows } = await admin.query<{ readonly mine: boolean }>(`select pg_try_advisory_lock(${lockId}) as mine`)
  if (rows[0]?.mine !== true) return
  try {
    const found = await unused(admin)
    const left = found.filter((one) => one.name !== current && isLeftOver(one, family, now))
    for (const { name } of left.slice(0, mostAtOnce)) {
      // Somebody else's, in use again, or gone by now.
      await admin.query(`drop database if exists ${name}`).catch(() => {})
    }
  } finally {
    await admin.query(`select pg_advisory_unlock(${lockId})`)
  }
}

// 'holdfast' in ASCII.
const lockId = '7525352680829580148'

interface Found {
  readonly name: string
  readonly comment: string | null
}

async function unused(admin: pg.Client): Promise<readonly Found[]> {
  const { rows } = await admin.query<Found>(`
    select datname as name, shobj_description(oid, 'pg_database') as comment
    from pg_database as one
    where datname like 'holdfast\\_te%'
      and not exists (select from pg_stat_activity as session where session.datname = one.datname)`)
  return rows
}

function isLeftOver({ name, comment }: Found, family: string, now: number): boolean {
  const test = readTestName(name)
  if (test !== undefined) return !test.mayBeInUse || now - test.madeAt > dayMs
  const usedAt = readUse(comment)
  if (familyOf(name) === undefined || usedAt === undefined) return false
  return now - usedAt > (familyOf(name) === family ? outdatedMs : dayMs)
}

/** What a template says of itself, which nothing else tells: when it was last used. */
export function useComment(now: number): string {
  return `holdfast template, used ${new Date(now).toISOString()}`
}

function readUse(comment: string | null): number | undefined {
  const [, at = ''] = /^holdfast template, used ([\d:.TZ-]+)$/.exec(comment ?? '') ?? []
  const usedAt = Date.parse(at)
  return Number.isNaN(usedAt) ? undefined : usedAt
}
