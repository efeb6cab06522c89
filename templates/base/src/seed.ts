import { isAppError } from 'holdfast/errors'
import { createApp } from './app.ts'
import { runTask } from './platform/task.ts'

const kinds = ['anchor', 'buoy', 'cleat', 'davit', 'fender', 'lantern', 'rope', 'shackle', 'tiller', 'winch']
const makes = ['brass', 'galvanised', 'heavy', 'light', 'long', 'short', 'small', 'steel', 'tarred', 'wooden']

const products = Array.from({ length: 200 }, (_, at) => ({
  sku: `SEED-${String(at + 1).padStart(4, '0')}`,
  name: `${makes[at % makes.length]} ${kinds[Math.floor(at / makes.length) % kinds.length]}`,
  priceCents: 250 + ((at * 7919) % 40_000),
}))

/** Fills the catalog with products to try things on. Run twice, it changes nothing. */
await runTask(async (config, logger) => {
  const app = await createApp(config, { logger, signal: new AbortController().signal, state: () => 'starting' })
  try {
    const outcomes = await Promise.allSettled(products.map((product) => app.catalog.service.create(product)))
    const failure = outcomes.find((outcome) => outcome.status === 'rejected' && !isTaken(outcome.reason))
    if (failure?.status === 'rejected') throw failure.reason
    logger.info({ created: outcomes.filter(({ status }) => status === 'fulfilled').length }, 'The catalog is seeded')
  } finally {
    await app.dispose()
  }
})

function isTaken(error: unknown): boolean {
  return isAppError(error) && error.code === 'catalog.sku_taken'
}
