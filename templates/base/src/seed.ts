import { isAppError } from 'holdfast/errors'
import { createApp } from './app.ts'
import { runTask } from './platform/task.ts'

const kinds = ['Anchor', 'Buoy', 'Cleat', 'Davit', 'Fender', 'Lantern', 'Rope', 'Shackle', 'Tiller', 'Winch']
const makes = ['Brass', 'Galvanised', 'Heavy', 'Light', 'Long', 'Short', 'Small', 'Steel', 'Tarred', 'Wooden']

const products = Array.from({ length: 200 }, (_, at) => ({
  sku: `SEED-${String(at + 1).padStart(4, '0')}`,
  name: `${makes[at % makes.length]} ${kinds[Math.floor(at / makes.length) % kinds.length]}`.toLowerCase(),
  priceCents: 250 + ((at * 7919) % 40_000),
}))

/** Fills the catalog with products to try things on. Run twice, it changes nothing. */
await runTask(async (config, logger) => {
  const app = await createApp(config, { logger, signal: new AbortController().signal, state: () => 'starting' })
  try {
    const created = await Promise.all(products.map((product) => createOnce(app.catalog.service, product)))
    logger.info({ created: created.filter(Boolean).length }, 'The catalog is seeded')
  } finally {
    await app.dispose()
  }
})

async function createOnce(catalog: Catalog, product: (typeof products)[number]): Promise<boolean> {
  try {
    await catalog.create(product)
    return true
  } catch (error) {
    if (isAppError(error) && error.code === 'catalog.sku_taken') return false
    throw error
  }
}

interface Catalog {
  create(product: (typeof products)[number]): Promise<unknown>
}
