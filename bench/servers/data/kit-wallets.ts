import { ConflictError, NotFoundError } from 'holdfast/errors'
import { created, ok, type Principal } from 'holdfast/http'
import { type Queries, sql, type Transactions } from 'holdfast/postgres'
import { type Entry, isTooMuch, type NewEntry, toWallet, type Wallet } from './work.ts'

interface WalletCall {
  readonly principal: Principal
  readonly params: { readonly id: number }
}

export class WalletsController {
  readonly #wallets: WalletsService

  constructor(wallets: WalletsService) {
    this.#wallets = wallets
  }

  async show({ principal, params }: WalletCall) {
    return ok(await this.#wallets.find(principal, params.id))
  }

  async deposit({ principal, params, body }: WalletCall & { readonly body: NewEntry }) {
    const entry = await this.#wallets.deposit(principal, params.id, body)
    return created(`/wallets/${entry.walletId}/entries/${entry.id}`, entry)
  }
}

export class WalletsService {
  readonly #wallets: WalletsRepository
  readonly #transactions: Transactions

  constructor(wallets: WalletsRepository, transactions: Transactions) {
    this.#wallets = wallets
    this.#transactions = transactions
  }

  async find({ id: accountId }: Principal, id: number): Promise<Wallet> {
    const wallet = await this.#wallets.find(id)
    if (wallet?.accountId !== accountId) throw noSuchWallet(id)
    return wallet
  }

  deposit({ id: accountId }: Principal, id: number, entry: NewEntry): Promise<Entry> {
    return this.#transactions.transaction(async () => {
      const wallet = await this.#wallets.hold(id)
      if (wallet?.accountId !== accountId) throw noSuchWallet(id)
      const balanceCents = wallet.balanceCents + entry.amountCents
      if (isTooMuch(balanceCents)) throw new ConflictError('wallets.too_much', `Wallet ${id} holds too much.`)
      await this.#wallets.setBalance(id, balanceCents)
      const entered = await this.#wallets.enter(id, accountId, entry)
      return { ...entered, ...entry, walletId: id, balanceCents }
    })
  }
}

const noSuchWallet = (id: number): NotFoundError => new NotFoundError('wallets.not_found', `There is no wallet ${id}.`)

const columns = sql.columns([
  'id',
  'account_id',
  'name',
  'description',
  'currency',
  'balance_cents',
  'tags',
  'created_at',
  'updated_at',
])

export class WalletsRepository {
  readonly #database: Queries

  constructor(database: Queries) {
    this.#database = database
  }

  find(id: number): Promise<Wallet | undefined> {
    return this.#database.maybeOne(sql`select ${columns} from wallets where id = ${id}`, toWallet)
  }

  hold(id: number): Promise<Pick<Wallet, 'accountId' | 'balanceCents'> | undefined> {
    return this.#database.maybeOne(
      sql`select account_id, balance_cents from wallets where id = ${id} for no key update`,
      (row: { readonly account_id: string; readonly balance_cents: number }) => ({
        accountId: row.account_id,
        balanceCents: row.balance_cents,
      }),
    )
  }

  async setBalance(id: number, balanceCents: number): Promise<void> {
    await this.#database.execute(
      sql`update wallets set balance_cents = ${balanceCents}, updated_at = now() where id = ${id}`,
    )
  }

  enter(id: number, accountId: string, { amountCents, note }: NewEntry): Promise<Pick<Entry, 'id' | 'createdAt'>> {
    return this.#database.one(
      sql`
        insert into entries (wallet_id, account_id, amount_cents, note)
        values (${id}, ${accountId}, ${amountCents}, ${note}) returning id, created_at`,
      (row: { readonly id: number; readonly created_at: Date }) => ({
        id: row.id,
        createdAt: row.created_at.toISOString(),
      }),
    )
  }
}
