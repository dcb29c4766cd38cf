-- somebody answered and nobody decided; older processes never write it, and read it as any other outcome
alter table calls drop constraint calls_outcome_check;
alter table calls add constraint calls_outcome_check check (
  outcome in ('authorized', 'denied', 'undecided', 'unanswered', 'unreachable', 'abandoned', 'blocked', 'expired')
);
