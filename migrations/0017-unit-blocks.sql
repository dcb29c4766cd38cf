-- A tenant may have one number in several blocks and towers. Number, block and tower of a unit are unique together.

alter table units add column tower text check (tower <> '');

-- Processes of the version before find a unit by its number alone, and import with "on conflict (tenant_id, number)". For
-- them (tenant_id, number) stays unique: where several units share a number, each has "~" and its own count behind it,
-- such as 101~57. Nobody can key that, so an older process says that there is no such unit rather than choose one.
-- src/directory/sql/unit-number.ts reads and writes it.
alter table units drop constraint units_number_check;
alter table units add constraint units_number_check check (number ~ '^[0-9A-Za-z]{1,16}(~[0-9]{1,19})?$');

create unique index units_by_place on units (
  tenant_id, split_part(number, '~', 1), lower(btrim(coalesce(block, ''))), lower(btrim(coalesce(tower, '')))
);
-- as units_by_spoken_number, without what stands behind the number
create index units_by_keyed_number on units (tenant_id, (ltrim(upper(split_part(number, '~', 1)), '0')));
