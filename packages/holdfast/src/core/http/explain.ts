import type { PipelineSettings } from './pipeline.ts'
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
  const takes = (['params', 'query', 'body'] as const).filter((part) => spec[part] !== undefined)
  const unknownKeys = spec.unknownKeys ?? 'refuse'
  const stage = (name: string, does: string): StageExplanation => ({ stage: name, does })
  return {
    method,
    path,
    stages: [
      stage('framing', 'refuses duplicate Host, Content-Type, Authorization and framing beyond chunked'),
      stage('client address', 'from the declared topology'),
      stage('request id', 'taken over from trusted peers, else new'),
      stage('deadline', `${spec.timeoutMs ?? settings.timeoutMs} ms, then 504`),
      stage('headers', settings.headers.filter((_, at) => at % 2 === 0).join(', ')),
      ...(spec.access === 'public' ? [] : [stage('authenticate', 'from Authorization or Cookie')]),
      stage('access', spec.access === 'public' ? 'public' : spec.access.rule),
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
      stage('handler', ''),
      stage('reply', `allow-list for ${Object.keys(spec.reply).join(', ')}`),
      stage('log', 'one line'),
    ],
  }
}
