import type { ConformanceTarget } from './target.ts'
import { type Exchange, exchange, type ExchangeOptions, type WireResponse } from './wire.ts'

/** One question put to a service over a socket, and what a right answer looks like. */
export interface Probe {
  /** Reads as a sentence: `a path with a trailing slash is another path`. */
  readonly name: string
  readonly send: (target: ConformanceTarget) => string | Uint8Array
  readonly options?: (target: ConformanceTarget) => ExchangeOptions
  /** The status of each final response. `2xx` is any success. */
  readonly status: number | '2xx' | readonly number[]
  /** The problem's `code`. */
  readonly code?: string
  /** Parts of header values that the first final response must have. */
  readonly headers?: Readonly<Record<string, string>>
  /** Interim statuses that must come before, in order. Default: none may come. */
  readonly interim?: readonly number[]
}

/**
 * Puts a probe to a service.
 * @returns what it said, and what is wrong with it: nothing, when the service conforms
 */
export async function runProbe(
  probe: Probe,
  target: ConformanceTarget,
): Promise<{ readonly exchange: Exchange; readonly faults: readonly string[] }> {
  const said = await exchange(target.url, probe.send(target), probe.options?.(target))
  return { exchange: said, faults: [...findFaults(probe, said)] }
}

function* findFaults(probe: Probe, { responses }: Exchange): Generator<string> {
  const final = responses.filter(({ status }) => status >= 200)
  const interim = responses.filter(({ status }) => status < 200).map(({ status }) => status)
  const wanted = probe.status === '2xx' || typeof probe.status === 'number' ? [probe.status] : probe.status
  if (final.length !== wanted.length) yield `${final.length} responses came, ${wanted.length} were due`
  for (const [at, status] of wanted.entries()) {
    const got = final[at]
    if (got === undefined) continue
    if (status === '2xx' ? got.status > 299 : got.status !== status)
      yield `status is ${got.status}, not ${status}: ${got.body}`
    yield* findLeaks(got)
  }
  if (interim.join() !== (probe.interim ?? []).join())
    yield `interim responses are [${interim}], not [${probe.interim ?? []}]`
  const [first] = final
  if (first === undefined) return
  const code =
    first.status >= 400 && first.body !== '' ? (JSON.parse(first.body) as { code?: unknown }).code : undefined
  if (probe.code !== undefined && code !== probe.code) yield `code is ${String(code)}, not ${probe.code}`
  for (const [name, part] of Object.entries(probe.headers ?? {})) {
    const value = headerOf(first, name)
    if (value?.includes(part) !== true) yield `header ${name} is ${value ?? 'missing'}, without ${part}`
  }
}

const problemMembers = new Set(['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId', 'errors'])

/** What no answer may do, whatever the probe: say who made it, or refuse in another form than a problem. */
function* findLeaks(response: WireResponse): Generator<string> {
  for (const name of ['x-powered-by', 'server']) {
    if (headerOf(response, name) !== undefined) yield `header ${name} tells what the service is made of`
  }
  if (headerOf(response, 'x-content-type-options') !== 'nosniff') yield 'header x-content-type-options is not nosniff'
  if (response.status < 400 || response.body === '') return
  if (headerOf(response, 'content-type') !== 'application/problem+json; charset=utf-8')
    yield 'a refusal is not application/problem+json'
  const problem = JSON.parse(response.body) as Record<string, unknown>
  if (problem['status'] !== response.status)
    yield `the problem says ${String(problem['status'])} under status ${response.status}`
  const extra = Object.keys(problem).filter((member) => !problemMembers.has(member))
  if (extra.length > 0) yield `the problem has members beyond the allow-list: ${extra.join(', ')}`
}

const headerOf = ({ headers }: WireResponse, name: string): string | undefined =>
  headers.find(([key]) => key === name)?.[1]

/**
 * Tells where two services answered one probe differently: status, header names, order and values, body bytes, and
 * whether the connection ended. Ids and dates are allowed to differ.
 */
export function compareExchanges(one: Exchange, other: Exchange): readonly string[] {
  const left = one.responses.map(toComparable)
  const right = other.responses.map(toComparable)
  const differences = left.flatMap((text, at) =>
    text === right[at] ? [] : [`${text}\n  differs from\n${right[at] ?? '(nothing)'}`],
  )
  if (left.length !== right.length) differences.push(`${left.length} responses against ${right.length}`)
  if (one.isClosed !== other.isClosed) differences.push(`connection closed: ${one.isClosed} against ${other.isClosed}`)
  return differences
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

function toComparable({ status, headers, body }: WireResponse): string {
  const lines = headers.map(([name, value]) => `${name}: ${timeless(name, value)}`)
  return [status, ...lines, '', body].join('\n').replaceAll(uuid, '(id)')
}

/** A header without what another moment or another call would change in it. */
function timeless(name: string, value: string): string {
  if (name === 'date') return '(date)'
  return name === 'ratelimit' ? value.replaceAll(/;(r|t)=\d+/g, ';$1=(number)') : value
}
