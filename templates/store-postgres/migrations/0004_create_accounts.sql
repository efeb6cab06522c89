create table accounts (
  id uuid primary key default uuid_v7(),
  -- In one form only, so that being unique means what people take it for; toEmail() of the service makes it.
  email text not null
    constraint accounts_email_key unique
    constraint accounts_email_form check (email = lower(normalize(btrim(email))) and length(email) between 3 and 254),
  password_hash text not null check (password_hash like '$argon2id$%'),
  roles text[] not null default '{}' check (array_position(roles, null) is null),
  disabled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Whoever must not become nobody.
create index accounts_admins on accounts (id) where 'admin' = any (roles) and disabled_at is null;

-- What auditors ask for: who did what to whom, when, from where. Ids only: no e-mail addresses, no secrets. It refers to
-- no table, because it outlives what it tells of.
create table audit_events (
  id uuid primary key default uuid_v7(),
  type text not null check (length(type) between 1 and 100),
  -- Whom it concerns, and who did it; nobody knows either of a failed login.
  account_id uuid,
  actor_id uuid,
  session_id uuid,
  request_id text,
  client_address text,
  detail jsonb not null default '{}',
  created_at timestamptz not null default now()
);

create index audit_events_by_account on audit_events (account_id, id desc);
