-- Counts by hour, kept longer than what they count. Each hour is computed anew from the messages and calls themselves and
-- replaces what was there, so nothing is counted twice, whichever version of a process wrote the rows (src/analytics/).

create table message_rollups (
  -- in which the messages were enqueued
  hour timestamptz not null,
  tenant_id text not null,
  channel text not null,
  -- a final status, or `waiting`
  outcome text not null,
  count int not null,
  -- receipts
  delivered int not null,
  read int not null,
  -- from enqueue to sent, of those that were sent: sum and maximum in ms, and how many took at most so long
  deliver_ms bigint not null,
  deliver_ms_max bigint not null,
  within_1s int not null,
  within_10s int not null,
  within_1m int not null,
  within_10m int not null,
  within_1h int not null,
  primary key (hour, tenant_id, channel, outcome)
);

create table call_rollups (
  -- in which the calls ended
  hour timestamptz not null,
  tenant_id text not null,
  outcome text not null,
  count int not null,
  total_ms bigint not null,
  -- of those that were answered, and of those that were decided
  answered int not null,
  answer_ms bigint not null,
  decided int not null,
  decision_ms bigint not null,
  primary key (hour, tenant_id, outcome)
);

create index message_rollups_by_tenant on message_rollups (tenant_id, hour);
create index call_rollups_by_tenant on call_rollups (tenant_id, hour);

create table rollup_hours (
  kind text not null,
  hour timestamptz not null,
  computed_at timestamptz not null,
  primary key (kind, hour)
);
