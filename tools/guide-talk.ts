// Accident: a check that says "something differs" and not what was sent and what came.

import { request } from 'node:http'
import type { Exchange, Expectation, Talk } from './guide-page.ts'

export interface TalkPartners {
  /** Where the app listens. */
  readonly app: string
  /** Where the page's `issuer.ts` listens, for targets that begin with `issuer:`. */
  readonly issuer: string | undefined
  /** Makes something happen between two requests; refuses what it does not know. */
  readonly happen: (what: string) => Promise<void>
}

/** Says to an app what a page says, and sees that it answers as the page says. */
export async function proveTalk(page: string, { steps }: Talk, partners: TalkPartners): Promise<void> {
  const kept = new Map<string, string>()
  for (const step of steps) {
    if ('happens' in step) await partners.happen(step.happens)
    else
      for (let time = 1; time <= step.times; time++)
        await proveExchange(`${page}.md:${step.line}`, step, kept, partners)
  }
}

async function proveExchange(
  place: string,
  exchange: Exchange,
  kept: Map<string, string>,
  partners: TalkPartners,
): Promise<void> {
  const answer = await send(exchange, kept, partners)
  const wrong = exchange.expected.find((expectation) => !isMet(expectation, answer, kept))
  if (wrong === undefined) return
  const { status, headers, body } = answer
  throw new Error(
    `${place}: ${exchange.method} ${exchange.target} was to be answered with ${JSON.stringify(wrong)}; the answer is\n${status} ${JSON.stringify(headers, undefined, 2)}\n${body}`,
  )
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

async function send(exchange: Exchange, kept: ReadonlyMap<string, string>, partners: TalkPartners): Promise<Answer> {
  const [, toIssuer, path] = /^(issuer:)?(.*)$/.exec(fill(exchange.target, kept)) ?? []
  const base = toIssuer === undefined ? partners.app : partners.issuer
  const headers = exchange.headers.map(([name, value]) => [name, fill(value, kept)] as const)
  const body = exchange.body && fill(exchange.body, kept)
  if (body !== undefined)
    headers.push(['content-type', 'application/json'], ['content-length', String(Buffer.byteLength(body))])
  return new Promise((resolve, reject) => {
    const call = request(`${base}${path}`, {
      method: exchange.method,
      headers: Object.fromEntries(headers),
      agent: false,
    })
    call.once('error', reject)
    call.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
    call.setTimeout(15_000, () => call.destroy(new Error(`${exchange.target} was not answered in 15 s`)))
    call.end(body)
  })
}

/** Puts in what earlier answers gave. */
function fill(text: string, kept: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$([a-z]\w*)/gi, (_, name: string) => {
    const value = kept.get(name)
    if (value === undefined) throw new Error(`$${name} stands in a request and in no answer before it`)
    return value
  })
}

function isMet(expectation: Expectation, answer: Answer, kept: Map<string, string>): boolean {
  if ('status' in expectation) return answer.status === expectation.status
  if ('json' in expectation) return isPart(expectation.json, readJson(answer.body), kept)
  const sent = answer.headers[expectation.header.toLowerCase()]
  if (expectation.value === undefined || sent === undefined) return sent === expectation.value
  return isLike(expectation.value, Array.isArray(sent) ? sent.join(', ') : sent, kept)
}

function readJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** Objects may hold more than was named; lists may not. */
function isPart(expected: unknown, actual: unknown, kept: Map<string, string>): boolean {
  if (typeof expected === 'string') return typeof actual === 'string' && isLike(expected, actual, kept)
  if (typeof expected !== 'object' || expected === null) return expected === actual
  if (typeof actual !== 'object' || actual === null || Array.isArray(expected) !== Array.isArray(actual)) return false
  if (Array.isArray(expected) && expected.length !== (actual as unknown[]).length) return false
  return Object.entries(expected).every(([key, value]) => isPart(value, Reflect.get(actual, key), kept))
}

/** `…` is whatever stands there. `$name` is too when it is new, and keeps it; later it is the same once more. */
function isLike(pattern: string, text: string, kept: Map<string, string>): boolean {
  const names: string[] = []
  const source = pattern.split(/(…|\$[a-z]\w*)/i).map((piece) => {
    if (piece === '…') return '.*?'
    const known = piece.startsWith('$') ? kept.get(piece.slice(1)) : piece
    if (known !== undefined) return known.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    names.push(piece.slice(1))
    return '([^\\s;,]+)'
  })
  const found = new RegExp(`^${source.join('')}$`, 's').exec(text)
  for (const [at, name] of names.entries()) if (found?.[at + 1] !== undefined) kept.set(name, found[at + 1]!)
  return found !== null
}
