import { isAppError } from 'holdfast/errors'
import { randomBytes } from 'node:crypto'
import { createApp } from './app.ts'
import type { Config } from './config.ts'
import { runTask } from './platform/task.ts'

type Accounts = Awaited<ReturnType<typeof createApp>>['accounts']['service']

const kinds = ['anchor', 'buoy', 'cleat', 'davit', 'fender', 'lantern', 'rope', 'shackle', 'tiller', 'winch']
const makes = ['brass', 'galvanised', 'heavy', 'light', 'long', 'short', 'small', 'steel', 'tarred', 'wooden']

const products = Array.from({ length: 200 }, (_, at) => ({
  sku: `SEED-${String(at + 1).padStart(4, '0')}`,
  name: `${makes[at % makes.length]} ${kinds[Math.floor(at / makes.length) % kinds.length]}`,
  priceCents: 250 + ((at * 7919) % 40_000),
  // A few are sold out.
  stock: (at * 31) % 97,
}))

/** Products to try things on, and two people who may and may not change them. Run twice, it changes nothing. */
await runTask(async (config, logger) => {
  if (config.NODE_ENV === 'production')
    throw new Error('The seed is for development; production has people of its own.')
  const app = await createApp(config, { logger, signal: new AbortController().signal, state: () => 'starting' })
  try {
    const outcomes = await Promise.allSettled(products.map((product) => app.catalog.service.create(product)))
    const failure = outcomes.find((outcome) => outcome.status === 'rejected' && !isTaken(outcome.reason))
    if (failure?.status === 'rejected') throw failure.reason
    logger.info({ created: outcomes.filter(({ status }) => status === 'fulfilled').length }, 'The catalog is seeded')
    await seedAccounts(app.accounts.service, config)
  } finally {
    await app.dispose()
  }
})

function isTaken(error: unknown): boolean {
  return isAppError(error) && error.code === 'catalog.sku_taken'
}

async function seedAccounts(accounts: Accounts, config: Config): Promise<void> {
  await seedAccount(accounts, 'admin', config.SEED_ADMIN_PASSWORD)
  await seedAccount(accounts, 'user', config.SEED_USER_PASSWORD)
}

async function seedAccount(accounts: Accounts, name: 'admin' | 'user', chosen: Config['SEED_ADMIN_PASSWORD']) {
  const email = `${name}@example.com`
  const password = chosen?.reveal() ?? randomBytes(12).toString('base64url')
  const isNew = await accounts.create({ email, password, roles: name === 'admin' ? ['admin'] : [] })
  // To the person at the terminal, once, and not to the log.
  if (isNew && chosen === undefined) console.log(`${email} has the password ${password}`)
}
