import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A name that nothing else has, and that tells who made it and when: a process that is killed tells nobody any more. */
export function newTestName(now: number = Date.now()): string {
  const random = randomBytes(6).toString('hex')
  return `holdfast_test_${place()}_${process.pid.toString(36)}_${now.toString(36)}_${random}`
}

/**
 * @param family - what it is the template of, such as the folder of one project
 * @param content - what was in there
 */
export function templateName(family: string, content: string): string {
  return `holdfast_template_${family.slice(0, 16)}_${content.slice(0, 16)}`
}

export interface TestNameParts {
  readonly madeAt: number
  /** False when whoever made it has ended for certain; processes elsewhere cannot be seen. */
  readonly mayBeInUse: boolean
}

/** @returns nothing for names that are not ours */
export function readTestName(name: string): TestNameParts | undefined {
  const [, from, pid = '', madeAt = ''] =
    /^holdfast_test_([0-9a-f]{12})_([0-9a-z]+)_([0-9a-z]{8,9})_[0-9a-f]{12}$/.exec(name) ?? []
  if (from === undefined) return undefined
  return { madeAt: Number.parseInt(madeAt, 36), mayBeInUse: from !== place() || isRunning(Number.parseInt(pid, 36)) }
}

/** @returns nothing for names that are not ours */
export function familyOf(name: string): string | undefined {
  return /^holdfast_template_([0-9a-f]{16})_[0-9a-f]{16}$/.exec(name)?.[1]
}

let known: string | undefined

/** Where process ids mean what they mean here: this machine since its start, and this container on it. */
function place(): string {
  known ??= sha256([hostname(), read('/proc/sys/kernel/random/boot_id'), link('/proc/self/ns/pid')].join('\n')).slice(
    0,
    12,
  )
  return known
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

// Linux has these; elsewhere the name of the machine has to do.
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return ''
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
