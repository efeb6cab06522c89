import { get, pageOf, patch, permission, post } from 'holdfast/http'
import type { CatalogController } from './catalog.controller.ts'
import { NewProduct, Product, ProductChange, ProductId, ProductQuery } from './catalog.schema.ts'

// Everybody may look.
const writer = permission('catalog:write')

export const catalogRoutes = (catalog: CatalogController) => [
  get('/products', { access: 'public', query: ProductQuery, reply: { 200: pageOf(Product) } }, (call) =>
    catalog.list(call),
  ),
  post('/products', { access: writer, body: NewProduct, reply: { 201: Product } }, (call) => catalog.create(call)),
  get('/products/:id', { access: 'public', params: ProductId, reply: { 200: Product } }, (call) => catalog.show(call)),
  patch('/products/:id', { access: writer, params: ProductId, body: ProductChange, reply: { 200: Product } }, (call) =>
    catalog.update(call),
  ),
  post('/products/:id/archive', { access: writer, params: ProductId, reply: { 200: Product } }, (call) =>
    catalog.archive(call),
  ),
]
