-- Live calls as they can go on elsewhere: written in the same transaction as what their journal tells, gone with their end.

create table kept_calls (
  call_id uuid primary key,
  tenant_id text not null,
  gate text,
  started_at timestamptz not null,
  -- the process that has the call (nodes.instance)
  instance uuid not null,
  -- of the machines that made the snapshot: other ones may not understand it
  machines text not null,
  snapshot jsonb not null,
  -- what the call's actor does not know: what the visitor said of themselves, and which recordings there are
  facts jsonb not null,
  kept_at timestamptz not null default now()
);
