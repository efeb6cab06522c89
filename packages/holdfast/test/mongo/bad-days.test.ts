import { afterEach, describe, expect, test } from 'vitest'
import { startProxy } from '../faults/proxy.ts'
import { expectNothingLost, openAccounts, openBank, transfers } from './bank.ts'
import { endAll, endLater } from './shop.ts'
import { startWireStore } from './wire-store.ts'

afterEach(endAll)

describe('given transfers between few accounts, on the store of the tests', () => {
  test('when 64 cross each other, conflicts are tried again and no cent is lost', async () => {
    const store = await startWireStore()
    endLater(() => store.close())
    const bank = openBank(store.url, { maxConnections: 16, waitQueueTimeoutMs: 20_000 })
    await openAccounts(bank)
    const told = await transfers(bank, 64)
    await expectNothingLost(bank, told)
    expect(told.done.size).toBeGreaterThan(0)
    expect(store.server.names().filter((name) => name === 'abortTransaction').length, 'conflicts').toBeGreaterThan(0)
  })

  test(
    'when connections break at random meanwhile, none is lost, doubled or a riddle',
    { timeout: 60_000 },
    async () => {
      const store = await startWireStore()
      endLater(() => store.close())
      const proxy = await startProxy(store.server.port)
      endLater(() => proxy.stop())
      const bank = openBank(`mongodb://127.0.0.1:${proxy.port}/shop?directConnection=true`, {
        maxConnections: 8,
        waitQueueTimeoutMs: 20_000,
      })
      await openAccounts(bank)
      const storm = setInterval(() => proxy.reset(), 150)
      endLater(async () => clearInterval(storm))
      const told = await transfers(bank, 150)
      clearInterval(storm)
      await bank.mongo.check()
      await expectNothingLost(bank, told)
      expect(told.done.size).toBeGreaterThan(0)
      const { total, idle, waiting } = bank.mongo.stats()
      expect({ idle, waiting }).toEqual({ idle: total, waiting: 0 })
      console.info(`cut at random: ${told.done.size} done, ${told.maybe.size} unknown, ${told.refused.length} refused`)
    },
  )
})
