-- Keys of machines. The secret is there as SHA-256 only; it is shown once, to whoever makes the key.
create table api_keys (
  id text primary key check (length(id) between 1 and 64),
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  principal_id text not null check (length(principal_id) between 1 and 255),
  name text not null check (length(name) <= 200),
  permissions text[] not null,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);

create index api_keys_by_principal on api_keys (principal_id, created_at);
