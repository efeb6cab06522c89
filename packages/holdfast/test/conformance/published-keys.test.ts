import { afterEach, describe, expect, test } from 'vitest'
import { edges, type RunningEdge } from '../edges.ts'
import { createHttp } from '../../src/adapters/zod/create-http.ts'
import { jwksRoute, type JwksRouteOptions } from '../../src/adapters/jose/jwks-route.ts'
import { createKeySet, generateKey } from '../../src/adapters/jose/key-set.ts'

const started: RunningEdge[] = []
afterEach(async () => {
  for (const edge of started.splice(0)) await edge.stop()
})

describe.each(Object.entries(edges))('given keys that are published on %s', (_name, start) => {
  const [old, next] = [generateKey(), generateKey()]
  async function publish(options?: JwksRouteOptions) {
    const keys = createKeySet({ keys: [old] })
    const edge = await start(createHttp([jwksRoute(keys, options)]))
    started.push(edge)
    return { keys, url: edge.url }
  }

  test('when they are read, they are the public halves, for ten minutes', async () => {
    const { url } = await publish()
    const response = await fetch(`${url}/.well-known/jwks.json`)
    const { d, ...half } = old
    expect(d).toBeTypeOf('string')
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/jwk-set+json'])
    expect(response.headers.get('cache-control')).toBe('public, max-age=600')
    expect(await response.json()).toEqual({ keys: [half] })
  })

  test('when they change, the next reader gets the new ones', async () => {
    const { keys, url } = await publish({ path: '/keys', maxAgeSeconds: 0 })
    keys.replace({ keys: [next, old] })
    const response = await fetch(`${url}/keys`)
    expect(response.headers.get('cache-control')).toBe('public, max-age=0')
    expect(await response.json()).toMatchObject({ keys: [{ kid: next['kid'] }, { kid: old['kid'] }] })
    expect((await fetch(`${url}/.well-known/jwks.json`)).status).toBe(404)
  })
})

test.each([-1, 1.5, 86_401, Number.NaN, '600'])(
  'when they are to be kept for %j seconds, there is no route',
  (seconds) => {
    const options = { maxAgeSeconds: seconds } as JwksRouteOptions
    expect(() => jwksRoute(createKeySet({ keys: [generateKey()] }), options)).toThrow(
      /^maxAgeSeconds is .*from 0 to 86400/,
    )
  },
)
