// Express as its documentation starts: the work, no layer at all, nothing validated. It refuses without looking.
import express from 'express'
import { refusal } from '../layers/settings.ts'
import { ping, port, toItem, toOrder } from './work.ts'

const app = express()
app.get('/ping', (_request, response) => {
  response.json(ping)
})
app.get('/items/:id', (request, response) => {
  response.json(toItem(Number(request.params.id), (request.query['currency'] as 'EUR' | undefined) ?? 'EUR'))
})
app.post('/orders', express.json(), (request, response) => {
  response.status(201).json(toOrder(request.body))
})
app.get('/refused/401', (_request, response) => {
  response.status(401).json(refusal(401, 'Unauthorized', 'Sign in first.'))
})
app.get('/refused/429', (_request, response) => {
  response.status(429).json(refusal(429, 'Too Many Requests', 'Try again later.'))
})
app.post('/refused/400', express.json(), (_request, response) => {
  response.status(400).json(refusal(400, 'Bad Request', 'This does not fit.'))
})
app.listen(port, '127.0.0.1')
