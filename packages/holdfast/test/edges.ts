import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import type { Http } from '../src/core/http/http.ts'
import { fallback as expressFallback, routes as expressRoutes } from '../src/edges/express/routes.ts'
import { fastifyOptions } from '../src/edges/fastify/options.ts'
import { fallback as fastifyFallback, routes as fastifyRoutes } from '../src/edges/fastify/routes.ts'
import { createServer, type ServerLimits } from '../src/edges/node/server.ts'

export interface RunningEdge {
  readonly url: string
  readonly server: Server
  stop(): Promise<void>
}

export type StartEdge = (http: Http, limits?: ServerLimits) => Promise<RunningEdge>

/** Every edge there is. A suite that loops over this list covers the next edge the day it is added. */
export const edges: Readonly<Record<'express' | 'fastify', StartEdge>> = {
  async express(http, limits) {
    const app = express()
    app.disable('x-powered-by')
    app.use(expressRoutes(http))
    app.use(expressFallback(http))
    return listen(createServer(app, limits))
  },
  async fastify(http, limits) {
    const app = Fastify(fastifyOptions(http, limits))
    await app.register(fastifyFallback, { http })
    await app.register(fastifyRoutes, { http })
    await app.ready()
    return listen(app.server)
  },
}

export async function listen(server: Server): Promise<RunningEdge> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    server,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
