-- Where things leave to: webhooks and messenger accounts of tenants, gates and what they were told (src/store/endpoints.ts,
-- instances.ts, gates.ts). Secrets are kept as they are, because signing needs them; no answer of the API shows them twice.

create table endpoints (
  id uuid primary key,
  tenant_id text not null references tenants (id) on delete cascade,
  url text not null check (url ~ '^https?://'),
  -- the types of events it gets; empty: all
  events text[] not null default '{}',
  -- standard: signed as Standard Webhooks says; token: a fixed token in the header Authorization
  kind text not null check (kind in ('standard', 'token')),
  token text,
  -- sent with each post
  headers jsonb not null default '{}' check (jsonb_typeof(headers) = 'object'),
  enabled boolean not null default true,
  -- why it was disabled, where nobody asked for it
  disabled_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((kind = 'token') = (token is not null))
);

create index endpoints_by_tenant on endpoints (tenant_id, created_at);

-- while a secret is replaced, both sign
create table endpoint_secrets (
  id bigint generated always as identity primary key,
  endpoint_id uuid not null references endpoints (id) on delete cascade,
  secret text not null check (secret like 'whsec\_%'),
  created_at timestamptz not null default now(),
  -- null: the present one
  expires_at timestamptz
);

create unique index endpoint_secrets_present on endpoint_secrets (endpoint_id) where expires_at is null;
create index endpoint_secrets_by_endpoint on endpoint_secrets (endpoint_id);

-- which receivers are left alone for a while; a row is there only after a failure, and workers share it
create table breakers (
  -- id of an endpoint, or `environment` for WEBHOOK_URL
  name text primary key,
  -- in a row
  failures int not null,
  -- how often it opened since the last success: each pause is longer
  openings int not null default 0,
  -- before it nobody tries; null while closed
  open_until timestamptz,
  -- somebody tries; nobody else does before this
  probe_until timestamptz,
  updated_at timestamptz not null default now()
);

create table instances (
  tenant_id text not null references tenants (id) on delete cascade,
  id text not null check (id ~ '^[A-Za-z0-9_.-]{1,64}$'),
  channel text not null check (channel in ('whatsapp', 'unoapi', 'twilio')),
  -- UnoAPI is a way to WhatsApp: messages name the carrier
  carrier text not null generated always as (case channel when 'unoapi' then 'whatsapp' else channel end) stored,
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  secrets jsonb not null default '{}' check (jsonb_typeof(secrets) = 'object'),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, carrier, id)
);

-- what opens when a visitor is let in
create table gates (
  tenant_id text not null references tenants (id) on delete cascade,
  -- id of the extension (its gate), or `default` for all others of the tenant
  id text not null check (id <> ''),
  kind text not null check (kind in ('amqp', 'webhook')),
  exchange text,
  routing_key text,
  url text check (url ~ '^https?://'),
  -- signs the command to a webhook
  secret text check (secret like 'whsec\_%'),
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, id),
  check (kind <> 'amqp' or (exchange is not null and routing_key is not null and url is null and secret is null)),
  check (kind <> 'webhook' or (url is not null and secret is not null and exchange is null and routing_key is null))
);

-- one command a call, whatever is tried again. No foreign key: what was done is kept when its tenant is gone.
create table gate_commands (
  call_id uuid primary key,
  tenant_id text not null,
  gate_id text not null,
  unit_number text,
  -- the decision: by, via
  decided_by text not null,
  decided_via text not null,
  decided_at timestamptz not null,
  -- from then on it is not sent
  expires_at timestamptz not null,
  status text not null default 'wanted' check (status in ('wanted', 'sent', 'acknowledged', 'refused')),
  sent_at timestamptz,
  acknowledged_at timestamptz,
  -- what happened, in order: [{"at", "what", ...}]
  audit jsonb not null default '[]' check (jsonb_typeof(audit) = 'array')
);

create index gate_commands_by_tenant on gate_commands (tenant_id, decided_at desc);
create index gate_commands_by_age on gate_commands (decided_at);
