-- WAVs that replace prompts for one tenant, sent over the API: s16le at 8 kHz in a WAV. Each node that takes calls keeps a copy on its disk.
-- Processes of the version before say the usual words.
create table tenant_prompts (
  tenant_id text not null references tenants (id) on delete cascade,
  prompt text not null check (prompt ~ '^[a-z0-9-]{1,64}$'),
  sound bytea not null,
  -- names the copies on disks
  digest text not null check (digest ~ '^[0-9a-f]{16}$'),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, prompt)
);
