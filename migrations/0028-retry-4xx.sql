-- Whether the statuses 4xx of an endpoint are retried: a receiver that is being deployed answers 404. Processes of the version before
-- do not read the column, and give up at once as they always did.
alter table endpoints add column retry_4xx boolean not null default true;
