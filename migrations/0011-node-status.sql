-- How each process is, written with its sign of life: a process without calls tells of those that take them.

alter table nodes add column status jsonb;
