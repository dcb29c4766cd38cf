-- GET /api/events tells the events of all calls in one order, and goes on behind the one that a client had last.

-- in the order in which they became visible: src/store/calls.ts writes one batch after the other
alter table call_events add column id bigint generated always as identity;
create unique index call_events_by_id on call_events (id);
