-- What happened at the gates. Both tables are filled in batches behind the live calls (src/store/calls.ts).
-- Neither refers to the directory by foreign key: a unit deleted during a call must not fail a batch that holds two
-- hundred other calls. For the same reason an event may arrive before its call's row.

create table calls (
  -- the AudioSocket UUID
  id uuid primary key,
  tenant_id text not null,
  node_id text not null,
  gate text,
  unit_id bigint,
  -- kept beside unit_id so that history survives a change of the directory
  unit_number text,
  state text not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  outcome text check (
    outcome in ('authorized', 'denied', 'unanswered', 'unreachable', 'abandoned', 'blocked', 'expired')
  ),
  reason text,
  decision jsonb,
  durations jsonb,
  check (ended_at is not null or outcome is null)
);

create index calls_by_tenant on calls (tenant_id, started_at desc);
create index calls_live on calls (node_id, started_at) where ended_at is null;
create index calls_by_end on calls (ended_at) where ended_at is not null;

create table call_events (
  call_id uuid not null,
  seq int not null check (seq >= 0),
  at timestamptz not null,
  kind text not null,
  leg text check (leg in ('visitor', 'resident')),
  data jsonb not null default '{}',
  primary key (call_id, seq)
);
