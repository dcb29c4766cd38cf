-- The directory: whose building it is, which units it has, who lives there, and the gates' ports.

create table tenants (
  id text primary key check (id <> ''),
  name text not null,
  locale text check (locale in ('pt-BR', 'en')),
  settings jsonb not null default '{}',
  created_at timestamptz not null default now()
);

-- a site with a single condominium never needs to name it
insert into tenants (id, name) values ('default', 'Default');

create table units (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants (id) on delete cascade,
  -- as dialled at the gate
  number text not null check (number ~ '^[0-9A-Za-z]{1,16}$'),
  block text,
  label text not null,
  unique (tenant_id, number)
);

-- a visitor who dials 0101 means 101; src/store/directory.ts asks by this expression
create index units_by_spoken_number on units (tenant_id, (ltrim(upper(number), '0')));

create table residents (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants (id) on delete cascade,
  unit_id bigint not null references units (id) on delete cascade,
  name text not null check (name <> ''),
  -- what is rung: an extension, sip:101@host, or E.164
  phone text,
  whatsapp text,
  -- the order in which a unit's residents are tried
  position int not null default 0,
  notify boolean not null default true
);

create index residents_by_unit on residents (unit_id, position);
-- a WhatsApp reply is matched to its sender by this
create index residents_by_whatsapp on residents (tenant_id, whatsapp) where whatsapp is not null;

-- one port pair a gate; the column names are those of the field's own tables
create table extensions (
  id text primary key check (id <> ''),
  ramal_ia text not null,
  ramal_retorno text not null,
  ip_servidor text not null,
  porta_ia int not null check (porta_ia between 1 and 65535),
  porta_retorno int not null check (porta_retorno between 1 and 65535 and porta_retorno <> porta_ia),
  condominio_id text not null references tenants (id) on delete cascade
);
