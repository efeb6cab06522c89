// oxlint-disable no-async-endpoint-handlers -- Express 5 takes what they reject with
import express from 'express'
import { app, callerOf, may, refuse } from '../layers/hand-express.ts'
import { port } from '../work.ts'
import { shop } from './hand-pool.ts'
import { NewEntry, NewOrder, WalletId } from './work.ts'

app.get('/wallets/:id', may('reader'), async (request, response) => {
  const { id } = WalletId.parse(request.params)
  response.json(await shop.wallet(callerOf(response), id))
})
app.post('/wallets/:id/entries', may('writer'), express.json(), async (request, response) => {
  const { id } = WalletId.parse(request.params)
  response.status(201).json(await shop.deposit(callerOf(response), id, NewEntry.parse(request.body)))
})
app.post('/orders', may('writer'), express.json(), async (request, response) => {
  response.status(201).json(await shop.order(callerOf(response), NewOrder.parse(request.body).items))
})
app.use(refuse)
app.listen(port, '127.0.0.1')
