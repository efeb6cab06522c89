-- Who is signed in, one row for each device. Nothing in it lets its reader sign in: tokens are there as SHA-256 only,
-- and their successors are sealed with keys that only the holders of the tokens can make.
create table sessions (
  id uuid primary key,
  principal_id text not null check (length(principal_id) between 1 and 255),
  label text not null check (length(label) <= 200),
  family_hash bytea not null check (octet_length(family_hash) = 32),
  token_hash bytea not null check (octet_length(token_hash) = 32),
  -- The tokens used a moment ago, the newest first: each one's hash, when it was used (ms), and what followed it, sealed.
  used_tokens jsonb not null default '[]'
    check (jsonb_typeof(used_tokens) = 'array' and jsonb_array_length(used_tokens) <= 32),
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  expires_at timestamptz not null,
  -- When it ends unless it is used again; -infinity once somebody ended it.
  ends_at timestamptz not null
);

create index sessions_by_principal on sessions (principal_id);
create index sessions_by_end on sessions (ends_at);

-- What access tokens are no longer good for. Each process reads this every few seconds; a row matters as long as an
-- access token lives.
create table session_revocations (
  id bigint generated always as identity primary key,
  -- No reference: a session may be forgotten before the tokens it gave out are.
  session_id uuid,
  principal_id text check (length(principal_id) between 1 and 255),
  at timestamptz not null,
  -- The transaction it came with. Rows appear when that ends and not when they are written, so readers go by this.
  tx xid8 not null default pg_current_xact_id(),
  constraint session_revocations_subject_check check (num_nonnulls(session_id, principal_id) = 1)
);

create index session_revocations_by_time on session_revocations (at);
create index session_revocations_by_tx on session_revocations (tx);
