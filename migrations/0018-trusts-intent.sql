-- An auto-open window with an intent opens by the visitor's own words alone. Only tenants that say so trust them. Processes
-- of the version before neither read nor write the column.

alter table tenants add column trusts_intent boolean not null default false;
