// Express as a careful team wires it: the middleware that everybody takes, with the JWT secret as a prepared key object.
import { createSecretKey } from 'node:crypto'
import cors from 'cors'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import { rateLimit } from 'express-rate-limit'
import helmet from 'helmet'
import { Redis } from 'ioredis'
import jsonwebtoken from 'jsonwebtoken'
import { pinoHttp } from 'pino-http'
import { RedisStore } from 'rate-limit-redis'
import { z } from 'zod'
import { ping } from '../work.ts'
import { audience, issuer, origin, refusal, roomy, scarce } from './settings.ts'

const redis = new Redis(process.env['BENCH_REDIS'] as string)
const key = createSecretKey(Buffer.from(process.env['BENCH_SECRET'] as string))

const limit = (name: string, quota: number, windowSeconds: number): RequestHandler =>
  rateLimit({
    limit: quota,
    windowMs: windowSeconds * 1000,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    store: new RedisStore({
      prefix: `hand-express:${name}:`,
      sendCommand: (command, ...args) => redis.call(command, ...args) as Promise<number>,
    }),
  })

export const may =
  (role: string): RequestHandler =>
  (request, response, next) => {
    const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ')
    try {
      if (scheme !== 'Bearer') throw new Error('There is no token')
      const claims = jsonwebtoken.verify(token, key, { algorithms: ['HS256'], issuer, audience })
      if (typeof claims === 'string' || !(claims['roles'] as string[]).includes(role)) {
        response.status(403).json(refusal(403, 'Forbidden', 'You may not do this.'))
        return
      }
      response.locals['caller'] = claims.sub
      next()
    } catch {
      response.status(401).json(refusal(401, 'Unauthorized', 'Sign in first.'))
    }
  }

/** Who asks, behind {@link may}. */
export const callerOf = ({ locals }: Response): string => locals['caller'] as string

export const app = express()
app.use(pinoHttp())
app.use(helmet())
app.use(cors({ origin: [origin] }))
app.use(limit('all', roomy.quota * 1000, roomy.windowSeconds))
app.get('/ping', (_request, response) => {
  response.json(ping)
})
app.get('/scarce', limit('scarce', scarce.quota, scarce.windowSeconds), (_request, response) => {
  response.json(ping)
})

/** Behind all routes. */
export function refuse(error: Error & { status?: number }, request: Request, response: Response, _next: NextFunction) {
  if (error instanceof z.ZodError) {
    const errors = error.issues.map(({ path, message }) => ({ path, message }))
    response.status(400).json({ ...refusal(400, 'Bad Request', 'This does not fit.'), errors })
    return
  }
  const status = error.status ?? 500
  if (status >= 500) request.log.error(error)
  response.status(status).json(refusal(status, error.name, status >= 500 ? 'Something went wrong.' : error.message))
}
