import express from 'express'
import { app, may, refuse } from '../layers/hand-express.ts'
import { ItemParams, ItemQuery, NewOrder, port, toItem, toOrder } from './work.ts'

app.get('/items/:id', may('reader'), (request, response) => {
  const { id } = ItemParams.parse(request.params)
  response.json(toItem(id, ItemQuery.parse(request.query).currency))
})
app.post('/orders', may('writer'), express.json(), (request, response) => {
  response.status(201).json(toOrder(NewOrder.parse(request.body)))
})
app.use(refuse)
app.listen(port, '127.0.0.1')
