-- The secret that a gate had before its secret was rotated, which signs beside the new one for a while, so that nobody stands before a
-- closed gate until the controller has the new one. Processes of the version before do not read it, and sign with the new one only.
alter table gates add column old_secret text;
alter table gates add column old_secret_until timestamptz;
