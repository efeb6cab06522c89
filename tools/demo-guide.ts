// Accident: the service runs, and its person does not know where, or tries a line that cannot work.

import type { DemoPasswords } from './demo-accounts.ts'

interface Demo {
  readonly url: string
  readonly edge: string
  readonly folder: string
  readonly passwords: DemoPasswords
}

/** Says what runs where, who may do what, and lines that work when pasted, one after the other or all at once. */
export async function guideTo({ url, edge, folder, passwords }: Demo): Promise<void> {
  const id = await someProduct(url)
  // A new one each time, for the second person to create it is refused.
  const sku = `TRY-${Date.now().toString(36).toUpperCase()}`
  const json = `-H 'content-type: application/json' -d`
  const token = `-H "authorization: Bearer $TOKEN"`
  const today = new Date().toISOString().slice(0, 10)
  console.log(`
Running
  service     ${url}  on ${edge}, from ${folder}
  PostgreSQL  embedded; the log above says where its data lies
  limits      counted in a Redis of this machine, or else in memory; the log above says where
  probes      ${url}/livez  ${url}/readyz

Accounts
  admin@example.com  ${passwords.admin}  may change the catalog and other people's roles, ship orders and read reports
  user@example.com   ${passwords.user}  may look and order

Try, from top to bottom
  curl -s '${url}/products?limit=3'
  curl -s ${url}/products/${id}
  LOGIN=$(curl -s ${url}/auth/login ${json} '{"email":"admin@example.com","password":"${passwords.admin}"}')
  TOKEN=$(echo "$LOGIN" | ${member('accessToken')})
  curl -s ${url}/me ${token}
  ROPE=$(curl -s ${url}/products ${token} ${json} '{"sku":"${sku}","name":"Tarred rope","priceCents":4999,"stock":10}' | ${member('id')})
  curl -s ${url}/orders ${token} ${json} '{"items":[{"productId":"'$ROPE'","quantity":2}]}'
  curl -s ${url}/orders ${token} ${json} '{"items":[{"productId":"'$ROPE'","quantity":9}]}'
  curl -s ${url}/orders ${token}
  curl -s '${url}/reports/sales?from=${today}&to=${today}' ${token}
  curl -s ${url}/products ${token} ${json} '{"sku":"no such sku","priceCents":-1}'
  curl -s ${url}/products ${json} '{"sku":"${sku}","name":"Nobody signed in","priceCents":1}'
  curl -s ${url}/auth/refresh ${json} '{"refreshToken":"'$(echo "$LOGIN" | ${member('refreshToken')})'"}'
  curl -si ${url}/nothing-here

Ctrl-C stops it. The source is yours to look at: ${folder}/src/app.ts
`)
}

/** A member of a JSON object, for shells with no more than sed. */
const member = (name: string): string => `sed 's/.*"${name}":"\\([^"]*\\)".*/\\1/'`

async function someProduct(url: string): Promise<string> {
  try {
    const response = await fetch(`${url}/products?limit=1`, { signal: AbortSignal.timeout(5000) })
    const { data } = (await response.json()) as { readonly data: readonly { readonly id: string }[] }
    return data[0]?.id ?? 'none-yet'
  } catch {
    return 'none-yet'
  }
}
