// The database of a shop: products to sell, wallets with money, and rules that hold whatever the load was.
import type pg from 'pg'
import type { BenchDatabase } from './postgres.ts'

export const shop = {
  /** As many of each: so many that no two calls are often after the same one. */
  size: 10_000,
  /** The first product that nobody gets, because there is none of it. */
  firstSoldOut: 10_001,
  soldOut: 1000,
  /** The wallet of somebody else. */
  strangersWallet: 10_001,
  /** Owns nothing, so that row-level security holds for it. */
  role: 'bench_service',
} as const

/** @param ids - the account that owns the wallets, and a stranger */
export async function createShop({ client }: BenchDatabase, [owner, stranger]: readonly string[]): Promise<void> {
  await client.query(schema)
  await client.query(
    `insert into products (id, sku, name, price_cents, stock, stocked)
    select at, 'SKU-' || at, 'Product number ' || at, 100 + at % 900, stock, stock
    from generate_series(1, $1) as at, lateral (select case when at < $2 then 100000000 else 0 end) as has (stock)`,
    [shop.size + shop.soldOut, shop.firstSoldOut],
  )
  await client.query(
    `insert into wallets (id, account_id, name, description, currency, balance_cents, tags)
    select at, case when at < $2 then $3::uuid else $4 end, 'Wallet number ' || at,
      'What is put aside for the journeys and repairs of the year, and the rest for a rainy day, number ' || at,
      'EUR', 0, array['savings', 'group-' || at % 13]
    from generate_series(1, $1) as at`,
    [shop.strangersWallet, shop.strangersWallet, owner, stranger],
  )
  // Not the empty ones: foreign keys would be looked up in them as if they stayed empty.
  await client.query('vacuum analyze products, wallets')
}

const schema = `
do $$ begin
  create role ${shop.role} nologin;
exception when duplicate_object then null;
end $$;

-- Room on each page, so that rows which change stay where their index finds them.
create table products (
  id integer primary key,
  sku text not null unique,
  name text not null,
  price_cents integer not null check (price_cents >= 0),
  stock integer not null check (stock >= 0),
  stocked integer not null
) with (fillfactor = 50);

create table wallets (
  id integer primary key,
  account_id uuid not null,
  name text not null,
  description text not null,
  currency text not null,
  balance_cents integer not null check (balance_cents >= 0),
  tags text[] not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
) with (fillfactor = 50);

create table entries (
  id integer primary key generated always as identity,
  wallet_id integer not null references wallets (id),
  account_id uuid not null,
  amount_cents integer not null,
  note text not null,
  created_at timestamptz not null default now()
);

create table orders (
  id integer primary key generated always as identity,
  account_id uuid not null,
  status text not null default 'placed',
  total_cents integer not null,
  created_at timestamptz not null default now()
);

create table order_lines (
  order_id integer not null references orders (id),
  account_id uuid not null,
  product_id integer not null references products (id),
  price_cents integer not null,
  quantity integer not null check (quantity > 0),
  primary key (order_id, product_id)
);

create table outbox (
  id bigint primary key generated always as identity,
  topic text not null,
  payload jsonb not null,
  created_at timestamptz not null default now()
);

grant select, insert, update on all tables in schema public to ${shop.role};

create function caller_id() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('app.principal_id', true), '')::uuid;

do $$
declare
  name text;
begin
  foreach name in array array['wallets', 'entries', 'orders', 'order_lines'] loop
    execute format('alter table %I enable row level security', name);
    execute format(
      'create policy owned on %I using (account_id = (select caller_id())) with check (account_id = (select caller_id()))',
      name
    );
  end loop;
end $$;
`

/** What a contender said it had written. */
export class Answers {
  readonly orders: number[] = []
  readonly entries: number[] = []
  /** Calls that were cut off while they were under way: what they asked for may have happened. */
  unanswered = 0
}

/** @throws {Error} saying what is lost or made up, or that a transaction was left open */
export async function assertNothingLost({ client }: BenchDatabase, answers: Answers): Promise<void> {
  await settled(client)
  const count = async (from: string, ...values: unknown[]): Promise<number> => {
    const { rows } = await client.query<[number]>({
      text: `select count(*)::integer from ${from}`,
      values,
      rowMode: 'array',
    })
    return rows.flat()[0] ?? 0
  }
  const faults: string[] = []
  for (const table of ['orders', 'entries'] as const) {
    const ids = answers[table]
    const lost = await count(
      `unnest($1::integer[]) as said (id) left join ${table} using (id) where ${table} is null`,
      ids,
    )
    if (lost > 0) faults.push(`${lost} ${table} are lost`)
    const unasked = (await count(table)) - ids.length - answers.unanswered
    if (unasked > 0) faults.push(`${unasked} ${table} were asked for by nobody`)
  }
  for (const [what, query] of Object.entries(lies)) {
    const found = await count(query)
    if (found > 0) faults.push(`${found} ${what}`)
  }
  if (faults.length > 0) throw new Error(faults.join('; '))
}

/** Each finds nothing in a shop where nothing was lost. */
const lies: Readonly<Record<string, string>> = {
  'products with less than nothing': 'products where stock < 0',
  'products whose stock does not fit what was ordered': `products left join (
      select product_id as id, sum(quantity) as sold from order_lines group by 1
    ) as ordered using (id) where stocked - stock <> coalesce(sold, 0)`,
  'orders without three lines, or with another total': `orders left join (
      select order_id as id, count(*) as lines, sum(price_cents * quantity) as total from order_lines group by 1
    ) as listed using (id) where lines is distinct from 3 or total is distinct from total_cents`,
  'lines at another price than that of the database': `order_lines join products on products.id = product_id
    where order_lines.price_cents <> products.price_cents`,
  'orders without their event, or events without their order': `orders full join outbox
    on (payload ->> 'orderId')::integer = orders.id where orders.id is null or outbox.id is null`,
  'wallets whose balance is not the sum of their entries': `wallets left join (
      select wallet_id as id, sum(amount_cents) as entered from entries group by 1
    ) as sums using (id) where balance_cents <> coalesce(entered, 0)`,
}

/** Until nothing is under way any more. */
async function settled(client: pg.Client): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { rows } = await client.query(
      `select state from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
    )
    if (rows.length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('a transaction stays open')
}
