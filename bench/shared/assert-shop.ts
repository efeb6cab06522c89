import { origin } from '../servers/layers/settings.ts'
import type { Tokens } from './credentials.ts'
import { type Answers, shop } from './shop.ts'
import type { BenchServer } from './start-server.ts'

/**
 * Work that is not done is fast.
 *
 * @param tokens - of the owner of the wallets and of a stranger; missing where nobody asks
 * @param answers - gets what is written on the way
 * @throws {Error} naming what is not as it has to be
 */
export async function assertShop(server: BenchServer, tokens: Tokens | undefined, answers: Answers): Promise<void> {
  const token = tokens?.good[0]
  const call = async (path: string, body?: unknown): Promise<{ status: number; data: Record<string, unknown> }> => {
    const response = await fetch(`${server.url}${path}`, {
      headers: {
        origin,
        'content-type': 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    })
    const answer = (await response.json()) as Record<string, unknown>
    return { status: response.status, data: (answer['data'] ?? answer) as Record<string, unknown> }
  }
  const balance = async (): Promise<unknown> => (await call('/wallets/1')).data['balanceCents']
  const wanted = [3, 1, 2].map((productId) => ({ productId, quantity: productId }))

  const entered = await call('/wallets/1/entries', { amountCents: 5, note: 'A probe' })
  const strangers = `/wallets/${shop.strangersWallet}`
  const ordered = await call('/orders', { items: wanted })
  const faults = [
    [entered.status === 201 && entered.data['balanceCents'] === 5 && (await balance()) === 5, 'an entry'],
    [ordered.status === 201 && ordered.data['totalCents'] === 3 * 103 + 101 + 2 * 102, 'an order at the right price'],
    [(ordered.data['lines'] as unknown[]).length === 3, 'lines of an order'],
    [
      (await call('/orders', { items: [...wanted, { productId: shop.firstSoldOut, quantity: 1 }] })).status === 409,
      'refusal of what is sold out',
    ],
    [(await call('/wallets/999999')).status === 404, 'refusal of what is not there'],
    [(await call(strangers)).status === 404, "refusal of a stranger's wallet"],
    [(await call(`${strangers}/entries`, { amountCents: 5, note: 'A probe' })).status === 404, "a stranger's entry"],
  ].flatMap(([isRight, what]) => (isRight === true ? [] : [what]))
  if (faults.length > 0) throw new Error(`${server.name} does not do the work: ${faults.join('; ')}`)
  answers.entries.push(Number(entered.data['id']))
  answers.orders.push(Number(ordered.data['id']))
}
