-- What leaves, as people ask about it: the messages, each try, and who works on them. The order in which they are worked
-- on is pg-boss's, in a schema of its own; a row here and its job there are written in one transaction
-- (src/store/messages.ts, src/outbound/).
-- As in 0002, nothing refers to the directory or to calls by foreign key: history survives what it is about.

create table messages (
  id uuid primary key,
  tenant_id text not null check (tenant_id <> ''),
  instance_id text not null check (instance_id <> ''),
  channel text not null check (channel in ('whatsapp', 'twilio', 'webhook', 'gate')),
  recipient text not null check (recipient <> ''),
  body jsonb not null check (jsonb_typeof(body) = 'object'),
  priority smallint not null check (priority between 0 and 10),
  -- machines/delivery.ts has the ways between them
  status text not null check (
    status in ('pending', 'processing', 'retrying', 'sent', 'failed', 'expired', 'cancelled')
  ),
  max_retries int not null check (max_retries >= 0),
  retry_delay_ms int not null check (retry_delay_ms >= 0),
  -- tries so far, and those of them that came before the last redrive: only the rest counts against max_retries
  attempts int not null default 0,
  attempts_before int not null default 0,
  expires_at timestamptz,
  idempotency_key text check (idempotency_key <> ''),
  call_id text,
  provider_id text,
  queue text not null,
  -- the one job that may still move this message: of `queue`, or of its dead letters once it failed
  job_id uuid not null,
  -- {code, message, status}
  last_error jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- null: now, or never
  next_attempt_at timestamptz,
  sent_at timestamptz,
  delivered_at timestamptz,
  read_at timestamptz,
  -- a second message of the tenant with the same key is the first one
  unique (tenant_id, idempotency_key)
);

create index messages_by_tenant on messages (tenant_id, created_at desc, id desc);
create index messages_by_time on messages (created_at desc, id desc);
-- what is owed or dead is little beside what was sent
create index messages_by_status on messages (status, created_at desc, id desc) where status <> 'sent';
create index messages_by_call on messages (call_id) where call_id is not null;
create index messages_by_provider on messages (provider_id) where provider_id is not null;

create table message_attempts (
  message_id uuid not null,
  number int not null check (number > 0),
  started_at timestamptz not null,
  -- null: it runs, or its worker was killed
  ended_at timestamptz,
  node text not null,
  outcome text check (outcome in ('sent', 'retrying', 'failed', 'expired', 'cancelled', 'released')),
  http_status int,
  error_code text,
  error text check (octet_length(error) <= 1024),
  retry_after_ms int,
  primary key (message_id, number)
);

-- a row for each worker that lives or lived: processed and failed add up over all of them
create table workers (
  id uuid primary key,
  node text not null,
  role text not null,
  started_at timestamptz not null,
  seen_at timestamptz not null,
  stopped_at timestamptz,
  processed bigint not null default 0,
  failed bigint not null default 0,
  processing int not null default 0,
  waiting int not null default 0
);

create index workers_by_time on workers (seen_at desc);

-- of rate-limiter-flexible, in the form that it expects; `expire` is ms since 1970
create table rate_limits (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);
