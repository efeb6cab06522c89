-- Version 7 of RFC 9562: milliseconds first, so that ids grow with time and an index on them stays dense.
-- PostgreSQL 18 has it as uuidv7(); this one also serves older servers.
create function uuid_v7() returns uuid
  language sql volatile parallel safe
  return encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid;

create table products (
  id uuid primary key default uuid_v7(),
  sku text not null constraint products_sku_key unique check (length(sku) between 1 and 40),
  name text not null check (length(name) between 1 and 200),
  price_cents integer not null check (price_cents >= 0),
  status text not null default 'active' check (status in ('active', 'archived')),
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index products_by_status on products (status, id desc);
