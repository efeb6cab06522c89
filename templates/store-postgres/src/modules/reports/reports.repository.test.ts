import { actAs } from 'holdfast/http'
import { createDatabase, type Database } from 'holdfast/postgres'
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { startService, type TestCaller, type TestService } from '../../../test/support.ts'
import { untilBlocked } from '../../../test/until-blocked.ts'
import { createReportsRepository } from './reports.repository.ts'

let service: TestService
let admin: TestCaller
/** Somebody else at the same database. */
let other: pg.Client
let database: Database
before(async () => {
  service = await startService({ REPORTING_POOL_SIZE: '2' })
  admin = await service.signIn('admin')
  other = new pg.Client(service.database.env['DATABASE_URL'])
  database = createDatabase({ url: service.database.env['DATABASE_URL'] ?? '', role: 'app_service' })
  await other.connect()
  await seed()
})
after(async () => {
  await database.close()
  await other.end()
  await service.stop()
})

/** A year of which each day sells the same 20 products in 8 orders. */
async function seed(): Promise<void> {
  await other.query(`
    insert into products (sku, name, price_cents) select 'S-' || n, 'product ' || n, n from generate_series(1, 20) as n;
    insert into orders (account_id, total_cents, created_at)
    select (select id from accounts limit 1), 1, timestamptz '2025-01-01 00:00Z' + n * interval '3 hours'
    from generate_series(0, 2919) as n;
    insert into order_lines (order_id, account_id, product_id, position, sku, name, price_cents, quantity)
    select orders.id, account_id, products.id, 1, sku, name, price_cents, 1 + mod(price_cents, 7)
    from orders join products on mod(price_cents, 4) = mod(extract(epoch from orders.created_at)::bigint / 10800, 4)`)
}

const query = { from: '2025-01-01', to: '2025-12-31', top: 20 }
const analyst = { roles: [], permissions: ['reports:read'] }
const year = '/reports/sales?from=2025-01-01&to=2025-12-31'

describe('given a year of orders', () => {
  test('when its report is asked for, its figures are those of the orders', async () => {
    const { status, body } = await admin.call('GET', `${year}&top=20`)
    assert.equal(status, 200)
    const { rows } = await other.query(`
      select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') as day, product_id,
        sum(quantity)::integer as pieces, sum(quantity * price_cents)::integer as revenue
      from orders join order_lines on order_id = orders.id group by 1, 2`)
    assert.equal(body.data.length, rows.length)
    const figures = new Map(rows.map(({ day, product_id, pieces, revenue }) => [day + product_id, [pieces, revenue]]))
    for (const { day, productId, pieces, revenueCents } of body.data) {
      assert.deepEqual([pieces, revenueCents], figures.get(day + productId))
    }
    const days: string[] = body.data.map(({ day }: { day: string }) => day)
    assert.deepEqual(days, days.toSorted().toReversed())
    const shares = Map.groupBy(body.data, ({ day }: any) => day)
    for (const rowsOfDay of shares.values()) {
      const sum = rowsOfDay.reduce((total: number, { shareOfDay }: any) => total + shareOfDay, 0)
      assert.ok(Math.abs(sum - 1) < 1e-9)
    }
  })

  test('when a figure can not be, the answer is an error and no figure', async () => {
    await other.query('alter table order_lines drop constraint order_lines_quantity_check')
    await other.query('update order_lines set quantity = -quantity where price_cents = 7')
    const report = actAs({ ...analyst, id: admin.id }, () => createReportsRepository(database).sales(query))
    await assert.rejects(report, /A row does not fit its schema\. pieces/)
    const { status, body } = await admin.call('GET', `${year}&top=20`)
    await other.query('update order_lines set quantity = -quantity where price_cents = 7')
    assert.deepEqual([status, body.code], [500, 'internal'])
    assert.equal((await admin.call('GET', year)).status, 200)
  })
})

describe('given more reports than their pool has connections for', () => {
  test('when none of them comes to an end, the rest of the service goes on, and what is too much is told at once', async () => {
    await other.query('begin; lock table order_lines')
    const reports = Array.from({ length: 30 }, () => admin.call('GET', '/reports/sales?from=2025-01-01&to=2025-01-01'))
    for (const name of await untilBlocked(other, 2)) assert.match(name, / reporting$/)
    assert.equal((await service.call('GET', '/products')).status, 200)
    assert.equal((await admin.call('GET', '/orders')).status, 200)
    await other.query('commit')
    const answers = await Promise.all(reports)
    const refused = answers.filter(({ status }) => status === 503)
    assert.equal(refused.length, 8)
    for (const { headers } of refused) assert.match(String(headers.get('retry-after')), /^\d+$/)
    assert.equal(answers.filter(({ status }) => status === 200).length, 22)
  })
})
