import type { Sighting } from './service.child.ts'
import { canary, thrown } from './thrown.ts'

// The query, the path and the words of our own source; a stack would hold them too.
const leaks = [canary, 'SELECT', '/srv/', '.ts:', 'node_modules', 'node:internal', '    at ']
const problemMembers = new Set(['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId'])

const isLoggerBroken = ({ layer }: Sighting): boolean => layer.startsWith('logger')
/** Whether Express took the value for one of its own orders, so that its answer is its own too. */
export const isOrder = ({ edge, layer, value }: Sighting): boolean =>
  edge === 'express' &&
  layer.startsWith('native handler') &&
  layer !== 'native handler, wrapped' &&
  thrown[value]?.isOrderToExpress === true

/** What is wrong with the answer to a thrown value, and with what the log knows of it. */
export function* findFaults(sighting: Sighting): Generator<string> {
  const { response, errors, escaped, value, layer } = sighting
  // What it was is told by the value; that nobody handled it is the fault.
  yield* new Set(escaped.map((text) => text.slice(0, text.indexOf(':'))))
  if (response === '') {
    yield 'no reply came'
    return
  }
  const leak = leaks.find((text) => response.includes(text))
  if (leak !== undefined) yield `${leak} stands in the reply`
  // What Express answers by itself is Express's; `asyncHandler` is there for those who mind.
  if (isOrder(sighting)) return
  const status = Number(response.slice(9, 12))
  const [head = '', body = ''] = response.split('\r\n\r\n')
  if (layer.includes('of a good reply')) {
    if (status !== 200) yield `the reply was good, and its status is ${status}`
    return
  }
  if (layer.includes('broken query')) {
    if (status !== 400 && status !== 500) yield `status ${status}`
    return
  }
  if (!head.includes('content-type: application/problem+json; charset=utf-8'))
    yield `no problem+json, but ${/content-type: [^\r]*/i.exec(head)?.[0]}`
  const { status: anywhere = [500], nativeStatus = anywhere } = thrown[value] ?? {}
  const due = layer.startsWith('native handler') ? nativeStatus : anywhere
  if (!due.includes(status)) yield `status ${status} instead of ${due.join(' or ')}`
  if (status === 500) yield* findBareFaults(sighting, body)
  if (status !== 500 || isLoggerBroken(sighting)) return
  const [first] = errors
  if (errors.length !== 1 || first?.level !== 'error') yield `logged as [${errors.map(({ level }) => level).join()}]`
  else if (!first.isWhole) yield 'the log holds another value than what was thrown'
}

function* findBareFaults(sighting: Sighting, body: string): Generator<string> {
  const problem = JSON.parse(body) as Record<string, unknown>
  const extra = Object.keys(problem).filter((member) => !problemMembers.has(member))
  if (extra.length > 0) yield `a bare 500 has ${extra.join()}`
  if (problem['code'] !== 'internal') yield `its code is ${String(problem['code'])}`
  if (problem['detail'] !== 'Something went wrong on our side. If it persists, tell us the requestId.')
    yield `its detail is ${String(problem['detail'])}`
  if (typeof problem['requestId'] !== 'string' && !isLoggerBroken(sighting)) yield 'no requestId joins it to the log'
}

const ids = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** A response without what may differ between two. */
export const toComparable = (response: string): string =>
  response.replaceAll(ids, '(id)').replace(/\r\ndate: [^\r]*/i, '')

/** Faults that many values share, told once: a defect of one layer fills a line and not a page. */
export function gather(found: readonly (readonly [where: string, value: string, fault: string])[]): string[] {
  const values = new Map<string, string[]>()
  for (const [where, value, fault] of found) {
    const key = `${where}: ${fault}`
    values.set(key, [...(values.get(key) ?? []), value])
  }
  return [...values].map(
    ([key, all]) =>
      `${key} (when it throws ${all.slice(0, 5).join('; ')}${all.length > 5 ? ` and ${all.length - 5} more` : ''})`,
  )
}
