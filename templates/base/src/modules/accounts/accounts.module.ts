import type { Sessions } from 'holdfast/auth'
import type { Logger } from 'holdfast/http'
import type { PasswordHasher } from 'holdfast/passwords'
import type { Database } from '../../platform/database.ts'
import { permissionsOf } from '../../platform/rights.ts'
import { AccountsController } from './accounts.controller.ts'
import { createAccountsRepository } from './accounts.repository.ts'
import { accountsRoutes } from './accounts.routes.ts'
import { AccountsService } from './accounts.service.ts'
import { createAuditRepository } from './audit.repository.ts'
import { Audit } from './audit.ts'

export type AccountRecords = ReturnType<typeof createAccountRecords>

/** Who there is and what they did. Sessions stand on it, and accounts on sessions. */
export function createAccountRecords({ database, logger }: { readonly database: Database; readonly logger: Logger }) {
  const accounts = createAccountsRepository(database)
  return {
    accounts,
    audit: new Audit(createAuditRepository(database), logger),
    /** What somebody may do as of now: asked at sign-in and at each refresh. */
    findRights: async (id: string) => {
      const account = await accounts.find(id)
      if (account === undefined || account.isDisabled) return undefined
      return { roles: account.roles, permissions: permissionsOf(account.roles) }
    },
  }
}

export interface AccountsNeeds {
  readonly records: AccountRecords
  readonly hasher: PasswordHasher
  readonly sessions: Sessions
  readonly logger: Logger
}

export function createAccounts({ records: { accounts, audit }, ...needs }: AccountsNeeds) {
  const service = new AccountsService({ accounts, audit, ...needs })
  return { service, routes: accountsRoutes(new AccountsController(service)) }
}
