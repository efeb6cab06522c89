import express from 'express'
import {
  createServer,
  fallback,
  listen,
  type ListeningServer,
  type ListenOptions,
  routes,
  type ServerLimits,
} from 'holdfast/express'
import type { Http } from 'holdfast/http'

export interface Edge {
  listen(address: ListenOptions): Promise<ListeningServer>
  close(): Promise<void>
}

export async function createEdge(http: Http, limits: ServerLimits): Promise<Edge> {
  const app = express()
  app.disable('x-powered-by')
  app.use(routes(http))
  // Routers and middleware of your own go here, body parsers included.
  app.use(fallback(http))
  return { listen: (address) => listen(createServer(app, limits), address), close: async () => {} }
}
