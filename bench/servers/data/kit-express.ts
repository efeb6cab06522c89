import express from 'express'
import { createServer, fallback, routes } from 'holdfast/express'
import { port } from '../work.ts'
import { http } from './kit.ts'

const app = express()
app.disable('x-powered-by')
app.use(routes(http))
app.use(fallback(http))
createServer(app).listen(port, '127.0.0.1')
