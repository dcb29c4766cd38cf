-- Each gate command has an id of its own. Workers of older versions look a command up by the id in its body, so that id stays
-- in `call_id`; `for_call` names the call. A command that belongs to no call names itself there. Null: written by an older
-- version, whose commands had the id of their call.
alter table gate_commands add column for_call uuid;
-- Number of the command within its call. Older versions always write 0, so they cannot add a second command to a call that has one.
alter table gate_commands add column ordinal int not null default 0;
create unique index gate_commands_by_call on gate_commands (coalesce(for_call, call_id), ordinal);
