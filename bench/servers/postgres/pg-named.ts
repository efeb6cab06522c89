import { openShop } from '../data/by-hand.ts'
import { account, type Client, entry } from './client-work.ts'

const shop = openShop()
export const client: Client = {
  find: (id) => shop.wallet(account, id),
  deposit: (id) => shop.deposit(account, id, entry),
}
