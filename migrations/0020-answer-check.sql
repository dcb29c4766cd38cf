-- How a tenant makes sure of a person on an answered line. Processes of the version before neither read nor write the columns.

alter table tenants
  add column answer_check text not null default 'natural' check (answer_check in ('natural', 'key', 'off')),
  add column leave_message boolean not null default false,
  add column after_talk text not null default 'end' check (after_talk in ('end', 'next'));
