-- A session of the page ends on the server, not only in the browser. The cookie used to be the key itself; processes of the
-- version before still read it so, and ask for the key again where they get a session.

create table sessions (
  id uuid primary key default gen_random_uuid(),
  -- SHA-256 of the cookie
  hash bytea not null unique,
  key_id uuid references api_keys (id) on delete cascade,
  -- SHA-256 of API_KEY, for sessions of the key of the configuration
  admin_hash bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  check (num_nonnulls(key_id, admin_hash) = 1)
);

create index sessions_by_key on sessions (key_id) where key_id is not null;

-- Whoever revokes a key (API, command line, a process of the version before), every process ends its streams, inspectors and
-- telephones at once.
create function announce_ended_access() returns trigger language plpgsql as $$
begin
  perform pg_notify(left(tg_table_schema, 54) || '_signals', 'access.ended ' || old.id);
  return null;
end
$$;

create trigger api_keys_revoked after update of revoked_at on api_keys for each row
  when (old.revoked_at is null and new.revoked_at is not null) execute function announce_ended_access();
create trigger api_keys_deleted after delete on api_keys for each row execute function announce_ended_access();
create trigger sessions_ended after delete on sessions for each row execute function announce_ended_access();
