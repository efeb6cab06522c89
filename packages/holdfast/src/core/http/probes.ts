import type { ActiveCall } from './active-call.ts'
import type { HeaderBlocks } from './header-blocks.ts'
import { type Problem, problemContentType } from './problem.ts'
import type { WireReply } from './raw-call.ts'
import { jsonContentType } from './reply-writer.ts'

/** What the two probes ask. `holdfast/lifecycle` fills it. */
export interface HealthPort {
  isLive(): boolean
  readiness(): Promise<{ readonly ready: boolean }>
}

export interface ProbeRoute {
  readonly path: string
  /** Answers the probe. Leaves no line in the log: probes ask often, and about us. */
  readonly run: (call: ActiveCall) => Promise<WireReply>
}

/** `/livez` and `/readyz`: no limit, no authentication, no log. */
export function probeRoutes(health: HealthPort, blocks: HeaderBlocks): readonly ProbeRoute[] {
  const answer = (call: ActiveCall, isUp: boolean): WireReply =>
    isUp ? reply(call, 200, jsonContentType, up) : reply(call, 503, problemContentType, down)
  const reply = (call: ActiveCall, status: number, type: string, body: string): WireReply => ({
    status,
    headers: [...blocks.of(call), 'content-type', type, 'content-length', String(body.length)],
    body,
    closes: false,
  })
  return [
    { path: '/livez', run: async (call) => answer(call, health.isLive()) },
    { path: '/readyz', run: async (call) => answer(call, (await health.readiness()).ready) },
  ]
}

const up = '{"data":{"status":"ok"}}'
const notReady: Problem = {
  type: 'about:blank',
  title: 'Service Unavailable',
  status: 503,
  detail: 'This instance takes no traffic right now.',
  code: 'lifecycle.not_ready',
}
const down = JSON.stringify(notReady)
