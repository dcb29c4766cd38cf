-- What is decided before anybody is rung, and by which steps residents are reached (src/store/directory-rules.ts).

-- ordered steps [{"kind": "call" | "whatsapp" | "operator", "ringSeconds"?, "attempts"?}]; null: the tenant's own plan,
-- which is settings -> 'plan' of its row
alter table units add column plan jsonb check (jsonb_typeof(plan) = 'array');

create table block_list (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants (id) on delete cascade,
  -- null: for every unit
  unit_id bigint references units (id) on delete cascade,
  -- as src/store/phone-number.ts writes it: E.164, or the digits of an extension; * at the end stands for any digits
  phone text check (phone ~ '^\+?\d+\*?$'),
  -- words that follow one another in the visitor's name; * at the end of a word stands for any ending
  name text check (name <> ''),
  reason text,
  until timestamptz,
  created_at timestamptz not null default now(),
  check (num_nonnulls(phone, name) > 0)
);

create index block_list_by_tenant on block_list (tenant_id);
create index block_list_by_unit on block_list (unit_id) where unit_id is not null;

create table auto_open_windows (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants (id) on delete cascade,
  -- null: for every unit
  unit_id bigint references units (id) on delete cascade,
  -- ISO: 1 is Monday, 7 is Sunday; the day on which a window over midnight begins
  weekdays smallint[] not null check (weekdays <@ array[1, 2, 3, 4, 5, 6, 7]::smallint[] and cardinality(weekdays) > 0),
  opens time not null,
  -- not after `opens`: on the next day
  closes time not null,
  timezone text not null,
  -- null: whatever the visitor came for
  intent text check (intent in ('delivery', 'visit', 'service', 'other')),
  created_at timestamptz not null default now()
);

create index auto_open_windows_by_tenant on auto_open_windows (tenant_id);
create index auto_open_windows_by_unit on auto_open_windows (unit_id) where unit_id is not null;

-- the revision of a directory counts them (src/store/directory-revision.ts)
create index residents_by_tenant on residents (tenant_id);
