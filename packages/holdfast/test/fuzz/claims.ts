import type { Answer, Conversation } from './conversation.ts'

const problemMembers = new Set(['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId', 'errors'])
const issueMembers = new Set(['path', 'code', 'message'])
// What only our own source, its stacks and its queries could have said. No generator writes any of these.
const leaks = [
  /\n\s+at |\\n\s+at /,
  /node_modules/,
  /\.ts:\d/,
  /node:internal/,
  /Error:/,
  /SELECT/,
  /\bFST_|\bHPE_|\bERR_/,
]

/** What is wrong with a conversation, whatever was sent in it. */
export function findFaults({ answers, rest, end }: Conversation, isAbandoned: boolean): string[] {
  const faults = answers.flatMap(findAnswerFaults)
  if (isAbandoned) return faults
  if (rest !== '') faults.push(`bytes that are no whole reply: ${JSON.stringify(rest.slice(0, 200))}`)
  if (end === 'left open') faults.push('the connection was left open')
  if (answers.length === 0 && end === 'closed') faults.push('the connection was closed without a word')
  return faults
}

function findAnswerFaults({ status, head, body }: Answer): string[] {
  if (status === 100) return head === 'HTTP/1.1 100 Continue\r\n' ? [] : [`100 says more than Continue: ${head}`]
  const faults: string[] = []
  const whole = `${head}\r\n${body}`
  const leak = leaks.find((pattern) => pattern.test(whole))
  if (leak !== undefined) faults.push(`${leak} leaks in ${whole}`)
  if (!(status >= 200 && status <= 499)) faults.push(`status ${status}: ${whole}`)
  if (!head.includes('\r\nx-content-type-options: nosniff\r\n')) faults.push(`no nosniff: ${head}`)
  if (/\r\n(server|x-powered-by):/i.test(head)) faults.push(`says what it is made of: ${head}`)
  if (status >= 300) faults.push(...findRefusalFaults(status, head, body))
  else if (body !== '' && !Object.hasOwn(toJson(body), 'data'))
    faults.push(`a success without data: ${body.slice(0, 200)}`)
  return faults
}

function findRefusalFaults(status: number, head: string, body: string): string[] {
  const faults: string[] = []
  if (!head.includes('\r\ncontent-type: application/problem+json; charset=utf-8\r\n'))
    faults.push(`a refusal that is no problem+json: ${head}`)
  if (body === '') return faults
  const problem = toJson(body)
  const extra = Object.keys(problem).filter((member) => !problemMembers.has(member))
  if (extra.length > 0) faults.push(`members beyond the allow-list: ${extra.join()}`)
  if (problem['status'] !== status) faults.push(`problem of status ${String(problem['status'])} under ${status}`)
  for (const member of ['type', 'title', 'detail', 'code', 'requestId'])
    if (typeof problem[member] !== 'string' || problem[member] === '') faults.push(`${member} is missing in ${body}`)
  for (const issue of (problem['errors'] ?? []) as Record<string, unknown>[])
    if (Object.keys(issue).some((member) => !issueMembers.has(member))) faults.push(`an issue says too much: ${body}`)
  return faults
}

function toJson(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>
  } catch {
    return { unparsable: body.slice(0, 200) }
  }
}

const ids = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** Where two edges answered the same bytes differently, apart from ids and dates. */
export function compareConversations(one: readonly Conversation[], other: readonly Conversation[]): string[] {
  const left = one.flatMap(({ answers }) => answers.map(toComparable))
  const right = other.flatMap(({ answers }) => answers.map(toComparable))
  const at = left.findIndex((text, index) => text !== right[index])
  if (at < 0 && left.length === right.length) return []
  const from = Math.max(at, 0)
  return [
    `one edge said ${outline(one)}, the other ${outline(other)}; answer ${from} differs:\n${left[from] ?? '(none)'}\n  against\n${right[from] ?? '(none)'}`,
  ]
}

/** The statuses of each connection: `200 404 | 400`. */
const outline = (conversations: readonly Conversation[]): string =>
  conversations
    .map(({ answers, end }) => [...answers.map(({ status }) => status), end === 'closed' ? '' : end].join(' ').trim())
    .join(' | ')

const toComparable = ({ head, body }: Answer): string =>
  `${head}\n${body}`
    .replaceAll(ids, '(id)')
    .replace(/\r\ndate: [^\r]*/i, '')
    .replaceAll(/;r=\d+;t=\d+/g, ';(left)')
