-- How an endpoint is posted to: in Porteiro's own form, or as the Cloud API posts webhooks. The rows of the second kind name their events,
-- all of them message.*, so that processes of the version before post nothing else to them; in their own form, as they always did.
alter table endpoints add column format text not null default 'porteiro' check (format in ('porteiro', 'cloud'));
