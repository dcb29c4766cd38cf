-- Up to which of call_events the messages of call events (webhooks, notes to residents) are in the queue for certain. A process
-- that is killed takes its messages that were not enqueued with it; another one derives them again from the events behind this.

create table call_event_cursor (
  single boolean primary key default true check (single),
  after_id bigint not null
);

insert into call_event_cursor (after_id) select coalesce(max(id), 0) from call_events;
