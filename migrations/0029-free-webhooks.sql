-- Webhooks to any URL, where the operator lets a tenant: `public` addresses only, or also those of EGRESS_ALLOW. A process of the
-- version before takes such a message for one to an unknown endpoint and gives it up, so upgrade every worker before the first.
alter table tenants add column free_webhooks text not null default 'off'
  check (free_webhooks in ('off', 'public', 'allowed'));

-- what signs them; while a secret is replaced, both sign
create table tenant_webhook_secrets (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants (id) on delete cascade,
  secret text not null check (secret like 'whsec\_%' or secret like 'enc:%'),
  created_at timestamptz not null default now(),
  -- null: the present one
  expires_at timestamptz
);

create unique index tenant_webhook_secrets_present on tenant_webhook_secrets (tenant_id) where expires_at is null;
create index tenant_webhook_secrets_by_tenant on tenant_webhook_secrets (tenant_id);

-- their own headers, whose values are secrets
create table message_headers (
  message_id uuid primary key references messages (id) on delete cascade,
  headers jsonb not null check (jsonb_typeof(headers) = 'object'),
  -- a value cannot be decrypted any more: the message is not sent without it
  lost boolean not null default false
);
