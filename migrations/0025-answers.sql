-- An answer in writing belongs to its question (src/inbound). Processes of the version before neither read nor write the columns; their
-- questions get a key by default, and buttons without a signature.

alter table approvals
  -- signs the buttons of this question, so that no other button decides the visit
  add column button_key bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
  -- what carried the question; null where a process of the version before asked
  add column network text check (network in ('whatsapp', 'sms'));
