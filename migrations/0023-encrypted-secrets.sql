-- With SECRET_KEY secrets are encrypted: enc:VERSION:KEYID:… instead of whsec_…. Tokens, header values and secrets of accounts have no
-- check. Processes of the version before cannot read what is encrypted, so nothing is before somebody sets SECRET_KEY.

alter table endpoint_secrets drop constraint endpoint_secrets_secret_check,
  add constraint endpoint_secrets_secret_check check (secret like 'whsec\_%' or secret like 'enc:%');
alter table gates drop constraint gates_secret_check,
  add constraint gates_secret_check check (secret like 'whsec\_%' or secret like 'enc:%');
