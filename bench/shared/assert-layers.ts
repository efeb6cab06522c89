import { origin } from '../servers/layers/settings.ts'
import type { Tokens } from './credentials.ts'
import type { BenchServer } from './start-server.ts'

/** Calls that show whether a service looks at what it gets. */
export interface LayerProbes {
  /** Answered 200 for the first principal. */
  readonly good: string
  /** The same for the second. */
  readonly others: string
  /** As `good`, with something wrong in it. */
  readonly wrong: Readonly<Record<string, string>>
  /** Takes bodies, and `{"lines":[]}` is none that it takes. */
  readonly post: string
}

/**
 * A layer that is not on makes a contender fast. Uses up the scarce limit on the way.
 * @throws {Error} naming each layer that does not do its work
 */
export async function assertLayers(server: BenchServer, tokens: Tokens, probes: LayerProbes): Promise<void> {
  const call = (
    path: string,
    token?: string,
    init: { readonly method?: string; readonly body?: string; readonly headers?: Record<string, string> } = {},
  ): Promise<Response> =>
    fetch(`${server.url}${path}`, {
      ...init,
      headers: { origin, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...init.headers },
    })
  const [good = '', other = ''] = tokens.good
  const [forged = ''] = tokens.forged
  const item = await call(probes.good, good)
  const stranger = await call('/ping', undefined, { headers: { origin: 'https://evil.example.com' } })
  const broken = { method: 'POST', body: '{"lines":[]}', headers: { 'content-type': 'application/json' } }
  const scarce = [await call('/scarce'), await call('/scarce')]
  const wrong = await Promise.all(
    Object.entries(probes.wrong).map(async ([what, path]) => [what, (await call(path, good)).status] as const),
  )
  const allowed = (response: Response): string | null => response.headers.get('access-control-allow-origin')
  const isLimited = (response: Response): boolean =>
    response.headers.has('ratelimit') || response.headers.has('x-ratelimit-limit')

  const faults = [
    [item.status === 200, 'the work itself'],
    [item.headers.get('x-content-type-options') === 'nosniff' && item.headers.has('x-frame-options'), 'headers'],
    [item.headers.has('content-security-policy'), 'content security policy'],
    [allowed(item) === origin && allowed(stranger) !== 'https://evil.example.com', 'CORS whitelist'],
    [isLimited(item) && isLimited(stranger), 'limit'],
    [scarce[0]?.status === 200 && scarce[1]?.status === 429, 'limit of the scarce route'],
    [(await call(probes.others, other)).status === 200, 'a second principal'],
    [(await call(probes.good)).status === 401, 'authentication: 401 without token'],
    [(await call(probes.good, forged)).status === 401, 'authentication: 401 with a forged token'],
    [(await call(probes.good, 'garbage')).status === 401, 'authentication: 401 with garbage'],
    ...wrong.map(([what, status]) => [status === 400, `validation of ${what}`] as const),
    [(await call(probes.post, good, broken)).status === 400, 'validation of the body'],
    [(await logged(server)) >= 10, 'request log'],
  ].flatMap(([isOn, layer]) => (isOn === true ? [] : [layer]))
  if (faults.length > 0) throw new Error(`${server.name} does not do what it is measured for: ${faults.join('; ')}`)
}

/** Lines that tell how a request ended; logs may be written a little later. */
async function logged(server: BenchServer): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 200))
  const lines = server.readLog().split('\n')
  return lines.filter((line) => /"(status|statusCode)":\d+/.test(line)).length
}
