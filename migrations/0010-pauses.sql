-- What must not leave for now: messages that a pause holds stay in their queue, are not tried, and still expire
-- (src/store/pauses.ts, src/outbound/holds.ts).

create table pauses (
  -- null: everybody's messages
  tenant_id text references tenants (id) on delete cascade,
  -- the tenant paused itself; it can lift that, and nothing that was put above it
  by_tenant boolean not null,
  -- name of the key, or of the command line
  paused_by text not null,
  since timestamptz not null default now(),
  check (tenant_id is not null or not by_tenant)
);

create unique index pauses_by_scope on pauses (coalesce(tenant_id, ''), by_tenant);

-- a worker that takes nothing must still find what expires
create index messages_by_expiry on messages (expires_at)
  where expires_at is not null and status in ('pending', 'retrying');
