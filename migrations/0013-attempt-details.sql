-- What the sentence about a failed attempt is made of, beside its code, so that the page can say it in the reader's language;
-- the text in `error` stays for older versions. Null: there is nothing to name, or an older version wrote the row.
-- messages.last_error has the same under `details`: {code, message, status, details}.
alter table message_attempts add column error_details jsonb;
