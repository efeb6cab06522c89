import type { Server } from 'node:http'
import express from 'express'
import Fastify from 'fastify'
import type { Http } from '../src/core/http/http.ts'
import { fallback as expressFallback, routes as expressRoutes } from '../src/edges/express/routes.ts'
import { fastifyOptions } from '../src/edges/fastify/options.ts'
import { fallback as fastifyFallback, routes as fastifyRoutes } from '../src/edges/fastify/routes.ts'
import { listen } from '../src/edges/node/listen.ts'
import { createServer, type ServerLimits } from '../src/edges/node/server.ts'

type MakeServer = (http: Http, limits?: ServerLimits) => Promise<Server>

/** Every edge there is. A suite that loops over this list covers the next edge the day it is added. */
export const servers: Readonly<Record<'express' | 'fastify', MakeServer>> = {
  async express(http, limits) {
    const app = express()
    app.disable('x-powered-by')
    app.use(expressRoutes(http))
    app.use(expressFallback(http))
    return createServer(app, limits)
  },
  async fastify(http, limits) {
    const app = Fastify(fastifyOptions(http, limits))
    await app.register(fastifyFallback, { http })
    await app.register(fastifyRoutes, { http })
    await app.ready()
    return app.server
  },
}

export interface RunningEdge {
  readonly url: string
  readonly server: Server
  stop(): Promise<void>
}

export type StartEdge = (http: Http, limits?: ServerLimits) => Promise<RunningEdge>

/** Has a server listen on a port of its own, until it is stopped with all its connections. */
export async function run(made: Server): Promise<RunningEdge> {
  const listening = await listen(made, { port: 0 })
  const { url, server } = listening
  const stop = async (): Promise<void> => {
    const stopped = listening.stop()
    listening.destroy()
    await stopped
  }
  return { url, server, stop }
}

const startWith =
  (makeServer: MakeServer): StartEdge =>
  async (http, limits) =>
    run(await makeServer(http, limits))

/** The same, listening on a port of their own. */
export const edges: Readonly<Record<keyof typeof servers, StartEdge>> = {
  express: startWith(servers.express),
  fastify: startWith(servers.fastify),
}
