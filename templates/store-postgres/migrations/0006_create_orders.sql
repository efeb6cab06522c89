create table orders (
  id uuid primary key default uuid_v7(),
  account_id uuid not null references accounts (id),
  status text not null default 'placed' check (status in ('placed', 'cancelled', 'shipped')),
  total_cents bigint not null check (total_cents >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint orders_owner_key unique (id, account_id)
);

create index orders_by_account on orders (account_id, id desc);
create index orders_by_time on orders (created_at);

-- As they were when they were ordered: products change, orders do not.
create table order_lines (
  order_id uuid not null,
  -- The order's own, kept here so that asking whose line it is takes no look elsewhere.
  account_id uuid not null,
  product_id uuid not null references products (id),
  position smallint not null check (position between 1 and 50),
  sku text not null,
  name text not null,
  price_cents integer not null check (price_cents >= 0),
  quantity integer not null check (quantity between 1 and 100),
  primary key (order_id, product_id),
  foreign key (order_id, account_id) references orders (id, account_id)
);

-- Events, stored in the transaction of what they tell of, until somebody hands them on.
create table outbox (
  id uuid primary key default uuid_v7(),
  topic text not null check (length(topic) between 1 and 100),
  payload jsonb not null,
  created_at timestamptz not null default now()
);
