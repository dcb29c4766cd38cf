-- Commands over AMQP are signed as those by webhook. Gates of the version before have no secret, and stay as they are until one is
-- made; its processes send without a signature, and take an AMQP gate's secret away when they write the gate.
alter table gates drop constraint gates_check,
  add constraint gates_check
    check (kind <> 'amqp' or (exchange is not null and routing_key is not null and url is null));

-- The number of the last command: it only grows, and never falls behind the time in ms since 1970, so that it is never used twice,
-- also not after a backup was restored or the gate was made anew.
alter table gates add column counter bigint not null default 0;
