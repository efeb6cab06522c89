import type { LimitGate } from '../rate-limit/limiter.ts'
import { routeLimits } from './limits.ts'
import type { PipelineSettings } from './pipeline-settings.ts'
import type { Route } from './route.ts'

export interface StageExplanation {
  readonly stage: string
  readonly does: string
}

/** A route's chain as data: what a request meets, in order. For reviewers, tools and snapshots in CI. */
export interface RouteExplanation {
  readonly method: string
  readonly path: string
  readonly stages: readonly StageExplanation[]
}

export function explainRoute({ method, path, spec }: Route, settings: PipelineSettings): RouteExplanation {
  const takes = (['params', 'query', 'body', 'cookies'] as const).filter((part) => spec[part] !== undefined)
  const unknownKeys = spec.unknownKeys ?? 'refuse'
  const stage = (name: string, does: string): StageExplanation => ({ stage: name, does })
  const limits = routeLimits(settings.limiter, spec.limit)
  const limit = (name: string, gate: LimitGate | undefined): StageExplanation[] =>
    gate === undefined ? [] : [stage(name, gate.policy)]
  return {
    method,
    path,
    stages: [
      stage(
        'framing',
        'refuses duplicate Host, Content-Type, Authorization, framing beyond chunked, 1000 headers and more',
      ),
      stage('client address', 'from the declared topology'),
      stage('request id', 'taken over from trusted peers, else new'),
      stage('deadline', `${spec.timeoutMs ?? settings.timeoutMs} ms, then 504`),
      stage('headers', settings.headers.names(spec.headers ?? 'default').join(', ')),
      stage('cors', settings.cors?.rule ?? 'no page of another origin may read'),
      ...limit('limit by address', limits.address),
      ...(spec.access === 'public' ? [] : [stage('authenticate', 'from Authorization or Cookie')]),
      stage('access', spec.access === 'public' ? 'public' : spec.access.rule),
      ...(spec.cookies === undefined ? [] : [stage('origin', 'cookies from foreign pages are refused')]),
      ...(spec.access === 'public' ? [] : limit('limit by principal', limits.principal)),
      stage(
        'body',
        spec.body === undefined ? 'none is taken' : `JSON up to ${spec.maxBodyBytes ?? settings.maxBodyBytes} bytes`,
      ),
      stage(
        'parse',
        takes.length === 0
          ? `nothing; unknown query: ${unknownKeys}`
          : `${takes.join(', ')}; unknown keys: ${unknownKeys}`,
      ),
      ...limits.body.flatMap(({ gate, member }) => limit(`limit by ${member}`, gate)),
      ...(spec.isolation === undefined ? [] : [stage('isolation', spec.isolation)]),
      stage('handler', ''),
      stage('reply', `allow-list for ${Object.keys(spec.reply).join(', ')}`),
      stage('log', 'one line'),
    ],
  }
}
