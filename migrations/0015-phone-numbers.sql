-- Telephone numbers are read as the country of their tenant writes them (src/directory/phone-number.ts).

-- a process of the version before leaves it out
alter table tenants add column country text not null default 'BR' check (country ~ '^[A-Z]{2}$');

-- Foreign numbers that somebody has confirmed. One whose digits are also a number of the tenant's country may be such a
-- number that an older version misread, and nobody is asked by it until then. By number, not by resident: an import and
-- a process of the version before replace residents.
create table confirmed_numbers (
  tenant_id text not null references tenants (id) on delete cascade,
  -- E.164
  number text not null check (number ~ '^\+\d{8,15}$'),
  confirmed_at timestamptz not null default now(),
  primary key (tenant_id, number)
);
