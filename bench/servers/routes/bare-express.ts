// Express as its documentation starts: no layer at all but the body parser. The body of POST is not validated.
import express from 'express'
import { ping, port, toItem } from '../work.ts'

const app = express()
app.get('/ping', (_request, response) => {
  response.json(ping)
})
app.get('/items/:id', (request, response) => {
  response.json(toItem(Number(request.params.id), (request.query['currency'] as 'EUR' | undefined) ?? 'EUR'))
})
app.post('/items', express.json(), (request, response) => {
  response.status(201).json(request.body)
})
app.listen(port, '127.0.0.1')
