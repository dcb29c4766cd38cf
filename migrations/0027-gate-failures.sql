-- Whether the gate's controller acknowledges each command. A webhook always does, by its status.
alter table gates add column acknowledges boolean not null default false;
-- A command that did not open its gate is reported once: at the latest when it expires. Older versions report nothing, and
-- their commands are not watched.
alter table gate_commands add column watched boolean not null default false;
alter table gate_commands add column failed_at timestamptz;
create index gate_commands_watched on gate_commands (expires_at) where watched;
create index gate_commands_failed on gate_commands (failed_at) where failed_at is not null;
