-- The processes that work on this database together, and what one asks of another: a command for a call reaches the process
-- in which the call lives, whichever of them got it (src/calls/routing.ts).

create table nodes (
  -- of one start of one process
  instance uuid primary key,
  -- NODE_ID, as in calls.node_id
  node_id text not null check (node_id <> ''),
  roles text[] not null,
  -- as {"visitor": "10.0.0.5:8080", "resident": …, "api": …}: what of it is open to others
  addresses jsonb not null default '{}',
  -- by its own clock, as calls.started_at
  started_at timestamptz not null,
  -- a lease: who is not heard of for a while is gone
  seen_at timestamptz not null default now()
);

create table node_requests (
  id uuid primary key,
  -- whom it is for: a process, or whichever has the call
  instance uuid,
  call_id uuid,
  request jsonb not null,
  asked_at timestamptz not null default now(),
  -- nobody begins with it later: whoever asked has been told that it failed
  expires_at timestamptz not null,
  taken_by uuid,
  -- {"value": …} or {"error": {"code", "details"}}
  answer jsonb,
  check (instance is not null or call_id is not null)
);

create index node_requests_open on node_requests (asked_at) where taken_by is null;
