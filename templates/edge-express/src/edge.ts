import express from 'express'
import { createServer, fallback, routes, type ServerLimits } from 'holdfast/express'
import type { Http } from 'holdfast/http'
import type { Server } from 'node:http'

export interface Edge {
  readonly server: Server
  close(): Promise<void>
}

export async function createEdge(http: Http, limits: ServerLimits): Promise<Edge> {
  const app = express()
  app.disable('x-powered-by')
  app.use(routes(http))
  // Routers and middleware of your own go here, body parsers included.
  app.use(fallback(http))
  return { server: createServer(app, limits), close: async () => {} }
}
