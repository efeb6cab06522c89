import { actAs } from 'holdfast/http'
import { createDatabase } from 'holdfast/postgres'
import { WalletsRepository, WalletsService } from '../data/kit-wallets.ts'
import { database as url, idleTimeoutMs, poolSize } from '../data/work.ts'
import { account, type Client, entry } from './client-work.ts'

const role = process.env['BENCH_ROLE'] as string
const database = createDatabase({ url, role, maxConnections: poolSize, idleTimeoutMs })
const wallets = new WalletsService(new WalletsRepository(database.rowSecured), database)
const principal = { id: account, roles: [], permissions: [] }

export const client: Client = {
  find: (id) => actAs(principal, () => wallets.find(principal, id)),
  deposit: (id) => actAs(principal, () => wallets.deposit(principal, id, entry)),
}
