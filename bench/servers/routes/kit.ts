// Holdfast with its defaults as shipped: pipeline, validation, reply allow-list, headers, deadline, request log.
import { get, ok, post, createHttp, created } from 'holdfast/http'
import { createLogger } from 'holdfast/logging'
import { Item, ItemParams, ItemQuery, NewItem, Ping, ping, toItem } from '../work.ts'

export const http = createHttp(
  [
    get('/ping', { access: 'public', reply: { 200: Ping } }, () => ok(ping)),
    get('/items/:id', { access: 'public', params: ItemParams, query: ItemQuery, reply: { 200: Item } }, (call) =>
      ok(toItem(call.params.id, call.query.currency)),
    ),
    post('/items', { access: 'public', body: NewItem, reply: { 201: NewItem } }, (call) =>
      created('/items/1', call.body),
    ),
  ],
  { logger: createLogger({ level: 'info', format: 'json' }) },
)
