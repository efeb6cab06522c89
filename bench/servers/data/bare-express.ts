// Express as its documentation starts: the work, no layer at all, nothing validated, everybody is one account.
// oxlint-disable no-async-endpoint-handlers -- Express 5 takes what they reject with
import express, { type NextFunction, type Request, type Response } from 'express'
import { ping, port } from '../work.ts'
import { refusal } from '../layers/settings.ts'
import { openShop } from './by-hand.ts'

const shop = openShop()
const account = process.env['BENCH_ACCOUNT'] as string

const app = express()
app.get('/ping', (_request, response) => {
  response.json(ping)
})
app.get('/wallets/:id', async (request, response) => {
  response.json(await shop.wallet(account, Number(request.params.id)))
})
app.post('/wallets/:id/entries', express.json(), async (request, response) => {
  response.status(201).json(await shop.deposit(account, Number(request.params['id']), request.body))
})
app.post('/orders', express.json(), async (request, response) => {
  response.status(201).json(await shop.order(account, request.body.items))
})
app.use((error: Error & { status?: number }, _request: Request, response: Response, _next: NextFunction) => {
  const status = error.status ?? 500
  response.status(status).json(refusal(status, error.name, error.message))
})
app.listen(port, '127.0.0.1')
