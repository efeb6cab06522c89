import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { SignedIn } from '../../src/core/auth/sessions.ts'
import type { Answer, ChildSettings } from './process.child.ts'

/** One process of a service, told from here what to do. */
export interface ServiceProcess {
  readonly start: (principalId: string) => Promise<SignedIn>
  readonly refresh: (token: string) => Promise<SignedIn>
  readonly refreshMany: (token: string, count: number) => Promise<SignedIn[]>
  readonly end: (principalId: string, sessionId: string) => Promise<boolean>
  readonly outdate: (principalId: string) => Promise<void>
  readonly authenticate: (token: string) => Promise<unknown>
  readonly events: () => Promise<string[]>
  /** Sets the date of the process apart from that of the machine. */
  readonly step: (ms: number) => Promise<void>
  stop(): Promise<void>
}

/** What was refused in the process, as it was refused there. */
export class Refusal extends Error {
  readonly kind: string
  readonly code: string

  constructor(parts: { readonly kind: string; readonly code: string; readonly message: string }) {
    super(parts.message)
    this.kind = parts.kind
    this.code = parts.code
  }
}

const file = fileURLToPath(new URL('process.child.ts', import.meta.url))

export async function startProcess(settings: ChildSettings): Promise<ServiceProcess> {
  const child = fork(file, { env: { ...process.env, SESSIONS_SETTINGS: JSON.stringify(settings) }, execArgv: [] })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let orders = 0
  child.on('message', (answer: Answer) => {
    const order = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('refusal' in answer) order?.reject(new Refusal(answer.refusal))
    else order?.resolve(answer.value)
  })
  child.on('exit', (code) => {
    for (const order of waiting.values()) order.reject(new Error(`The process ended with ${code}`))
  })
  const tell =
    <Result>(method: string) =>
    async (...args: readonly unknown[]): Promise<Result> => {
      const id = (orders += 1)
      const order = Promise.withResolvers<unknown>()
      waiting.set(id, order)
      child.send({ id, method, args })
      return (await order.promise) as Result
    }
  await tell('open')()
  return {
    start: tell('start'),
    refresh: tell('refresh'),
    refreshMany: tell('refreshMany'),
    end: tell('end'),
    outdate: tell('outdate'),
    authenticate: tell('authenticate'),
    events: tell('events'),
    step: tell('step'),
    async stop() {
      if (child.exitCode !== null) return
      child.disconnect()
      await once(child, 'exit')
    },
  }
}

/** The code of a refusal, or nothing for what was let in. */
export const codeOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code,
  )

/** Asks until the answer is `code`; tells how long that took. */
export async function untilRefused(ask: () => Promise<unknown>, code: string, withinMs = 10_000): Promise<number> {
  const from = performance.now()
  for (;;) {
    const found = await codeOf(ask())
    const ms = performance.now() - from
    if (found === code) return ms
    if (ms > withinMs) throw new Error(`Still ${found ?? 'let in'} after ${Math.round(ms)} ms`)
    await delay(1)
  }
}
