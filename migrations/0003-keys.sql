-- API keys. The key itself is shown once and never stored; 32 random bytes need no slow hash.

create table api_keys (
  id uuid primary key,
  -- null: every tenant
  tenant_id text references tenants (id) on delete cascade,
  name text not null check (name <> ''),
  hash bytea not null unique check (octet_length(hash) = 32),
  scopes text[] not null check (cardinality(scopes) > 0 and scopes <@ array['read', 'operate', 'admin']),
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz
);
