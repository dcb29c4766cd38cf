-- A tenant may let nobody in by a spoken yes. Processes of the version before neither read nor write the column.

alter table tenants add column opens_by text not null default 'key-and-voice'
  check (opens_by in ('key', 'key-and-voice'));
