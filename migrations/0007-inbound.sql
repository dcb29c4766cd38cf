-- What comes in from messengers, and what residents were asked there (src/inbound).
-- Nothing here refers to tenants by foreign key: every insert would lock that one row, and these come a thousand a second.

-- one row a message of a person, however often its provider posts it
create table inbound_messages (
  id uuid primary key,
  tenant_id text not null,
  instance_id text not null,
  channel text not null check (channel in ('whatsapp', 'unoapi', 'twilio')),
  -- the provider's id; a digest of the message where it has none
  provider_id text not null,
  kind text not null,
  -- E.164; null where the provider tells only its own id of the person
  phone text,
  user_id text,
  text text,
  button_id text,
  quoted_id text,
  -- by the provider's clock
  sent_at timestamptz,
  payload jsonb not null,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  -- what became of it
  outcome text,
  -- the atomic half of taking each message once
  unique (tenant_id, instance_id, provider_id)
);

create index inbound_messages_by_phone on inbound_messages (tenant_id, phone, received_at desc) where phone is not null;
-- who is meant by an id without a number
create index inbound_messages_by_user on inbound_messages (tenant_id, instance_id, user_id)
  where user_id is not null and phone is not null;
create index inbound_messages_by_age on inbound_messages (received_at);

-- what the provider says of messages of ours; comes in any order, and at times before we know our message's id there
create table receipts (
  tenant_id text not null,
  instance_id text not null,
  provider_id text not null,
  status text not null check (status in ('sent', 'delivered', 'read', 'failed')),
  at timestamptz not null,
  error jsonb,
  received_at timestamptz not null default now(),
  applied_at timestamptz,
  primary key (tenant_id, instance_id, provider_id, status)
);

create index receipts_waiting on receipts (received_at) where applied_at is null;
create index receipts_by_age on receipts (received_at);

-- one row a resident who was asked about a visit
create table approvals (
  id uuid primary key,
  call_id uuid not null,
  tenant_id text not null,
  instance_id text not null,
  channel text not null check (channel in ('whatsapp', 'twilio')),
  unit_id text not null,
  unit_label text not null,
  resident_id text not null,
  resident_name text not null,
  -- E.164
  phone text not null,
  -- of the messages that asked: whoever quotes one of them means this visit
  messages uuid[] not null default '{}',
  status text not null default 'waiting' check (status in ('waiting', 'decided', 'late', 'closed')),
  asked_at timestamptz not null default now(),
  -- a node that died closes nothing
  expires_at timestamptz not null,
  closed_at timestamptz,
  verdict text check (verdict in ('authorized', 'denied')),
  -- the reply that decided, or came too late
  reply_id uuid,
  -- asking the same resident about the same visit again is the same question
  unique (call_id, phone),
  check (status in ('waiting', 'closed') or (verdict is not null and reply_id is not null))
);

-- of several residents who answer at once one decides
create unique index approvals_decided on approvals (call_id) where status = 'decided';
create index approvals_by_phone on approvals (tenant_id, phone, asked_at desc);
create index approvals_by_message on approvals using gin (messages);
create index approvals_by_age on approvals (asked_at);

-- what was said with somebody lately; bounded in turns and in bytes by src/store/conversations.ts
create table conversations (
  tenant_id text not null,
  instance_id text not null,
  phone text not null,
  turns jsonb not null default '[]',
  updated_at timestamptz not null default now(),
  primary key (tenant_id, instance_id, phone)
);

create index conversations_by_age on conversations (updated_at);
