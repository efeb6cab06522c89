import Fastify from 'fastify'
import { fallback, fastifyOptions, routes, type ServerLimits } from 'holdfast/fastify'
import type { Http } from 'holdfast/http'
import type { Server } from 'node:http'

export interface Edge {
  readonly server: Server
  close(): Promise<void>
}

export async function createEdge(http: Http, limits: ServerLimits): Promise<Edge> {
  const app = Fastify(fastifyOptions(http, limits))
  await app.register(fallback, { http })
  await app.register(routes, { http })
  // Plugins of your own go here.
  await app.ready()
  return { server: app.server, close: () => app.close() }
}
