import { createDatabase } from 'holdfast/postgres'
import { WalletsRepository, WalletsService } from '../data/kit-wallets.ts'
import { database as url, idleTimeoutMs, poolSize } from '../data/work.ts'
import { account, type Client, entry } from './client-work.ts'

const database = createDatabase({ url, maxConnections: poolSize, idleTimeoutMs })
const wallets = new WalletsService(new WalletsRepository(database), database)
const principal = { id: account, roles: [], permissions: [] }

export const client: Client = {
  find: (id) => wallets.find(principal, id),
  deposit: (id) => wallets.deposit(principal, id, entry),
}
