-- The UUIDs by which telephones that were called join a call, so that each process finds the call of a leg.
alter table kept_calls add column legs uuid[] not null default '{}';
create index kept_calls_legs on kept_calls using gin (legs);
