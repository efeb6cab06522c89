import Fastify from 'fastify'
import {
  fallback,
  fastifyOptions,
  listen,
  type ListeningServer,
  type ListenOptions,
  routes,
  type ServerLimits,
} from 'holdfast/fastify'
import type { Http } from 'holdfast/http'

export interface Edge {
  listen(address: ListenOptions): Promise<ListeningServer>
  close(): Promise<void>
}

export async function createEdge(http: Http, limits: ServerLimits): Promise<Edge> {
  const app = Fastify(fastifyOptions(http, limits))
  await app.register(fallback, { http })
  await app.register(routes, { http })
  // Plugins of your own go here.
  await app.ready()
  return { listen: (address) => listen(app.server, address), close: () => app.close() }
}
