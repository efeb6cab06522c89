import type { FlatHeaders } from './header-block.ts'
import { type Problem, problemContentType } from './problem.ts'
import type { WireReply } from './raw-call.ts'

/** What the two probes ask. `holdfast/lifecycle` fills it. */
export interface HealthPort {
  isLive(): boolean
  readiness(): Promise<{ readonly ready: boolean }>
}

export interface ProbeRoute {
  readonly path: string
  /** Answers the probe. Takes no call and leaves no line in the log: probes ask often, and about us. */
  readonly run: () => Promise<WireReply>
}

/** `/livez` and `/readyz`: no limit, no authentication, no log. */
export function probeRoutes(health: HealthPort, headers: FlatHeaders): readonly ProbeRoute[] {
  const answer = (isUp: boolean): WireReply =>
    isUp ? reply(200, 'application/json; charset=utf-8', up) : reply(503, problemContentType, down)
  const reply = (status: number, type: string, body: string): WireReply => ({
    status,
    headers: [...headers, 'content-type', type, 'content-length', String(body.length)],
    body,
    closes: false,
  })
  return [
    { path: '/livez', run: async () => answer(health.isLive()) },
    { path: '/readyz', run: async () => answer((await health.readiness()).ready) },
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
