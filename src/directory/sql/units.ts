import { fail } from '../../platform/errors.ts'
import type { Querier } from '../../platform/postgres/index.ts'
import type { ContactPlan } from '../contact-plan.ts'
import { placeKey, type UnitPlace } from '../unit-place.ts'
import { RESIDENTS, type ResidentEntry, type Unit, withHeld } from './directory.ts'
import { readPlan } from './tenants.ts'
import { KEYED_NUMBER, lockNumbers, settleNumbers } from './unit-number.ts'

/** A single unit, for editing; whole directories are in src/directory/sql/directory.ts. */
export interface UnitRow extends Unit {
  tenantId: string
  /** Null: the tenant's plan, or an unreadable one. */
  plan: ContactPlan | null
  /** The stored plan cannot be read; calls ignore it. */
  planUnreadable: boolean
}

export interface UnitChange {
  number: string
  block: string | null
  tower: string | null
  /** Null: the number. */
  label: string | null
  plan: ContactPlan | null
}

type ResidentChange = Required<Omit<ResidentEntry, 'phone' | 'whatsapp'>> & {
  phone: string | null
  whatsapp: string | null
}

const UNIT = `
  select u.id::text, u.tenant_id as "tenantId", ${KEYED_NUMBER} as number, u.label, u.block, u.tower, u.plan,
    ${RESIDENTS} as residents
  from units u`

/** Residents by id, of whatever unit; those that were deleted are missing. */
export async function findResidents(
  database: Querier,
  tenantId: string,
  ids: readonly string[],
): Promise<{ id: string; name: string; phone: string | null }[]> {
  return database.query(
    'select id::text, name, phone from residents where tenant_id = $1 and id::text = any($2)',
    [tenantId, ids],
  )
}

interface UnitFilter {
  tenantId: string
  /** Part of a number, label, block, tower or resident's name. */
  search?: string | undefined
  /** For paging: the id of the last unit of the previous page. */
  after?: string | undefined
  limit: number
}

/** Units ordered by number, 9 before 10. */
export async function pageUnits(
  database: Querier,
  { tenantId, search, after, limit }: UnitFilter,
): Promise<UnitRow[]> {
  const rows = await database.query<UnitRow>(
    `with placed as (
       select id, row_number() over (
         order by nullif(regexp_replace(${KEYED_NUMBER}, '\\D', '', 'g'), '')::numeric nulls last, ${KEYED_NUMBER},
           u.block nulls first, u.tower nulls first, u.id) as place
       from units u where tenant_id = $1)
     ${UNIT} join placed p on p.id = u.id
     where p.place > coalesce((select place from placed where id = $3::bigint), 0)
       and ($2::text is null or position(lower($2) in lower(concat_ws(' ', ${KEYED_NUMBER}, u.label, u.block, u.tower))) > 0
         or exists (select from residents r where r.unit_id = u.id and position(lower($2) in lower(r.name)) > 0))
     order by p.place limit $4`,
    [tenantId, search ?? null, after ?? null, limit],
  )
  return rows.map(readable)
}

/** Undefined if it does not exist or belongs to another tenant. */
export async function readUnit(
  database: Querier,
  id: string,
  tenantId: string | null,
): Promise<UnitRow | undefined> {
  const [row] = await database.query<UnitRow>(
    `${UNIT} where u.id = $1 and ($2::text is null or u.tenant_id = $2)`,
    [id, tenantId],
  )
  return row && readable(row)
}

/** Resolves with its id. Needs a transaction. Errors: UNIT_TAKEN. Rejects if there is no such tenant (isOrphan). */
export async function createUnit(
  transaction: Querier,
  tenantId: string,
  { number, block, tower, label, plan }: UnitChange,
): Promise<string> {
  await lockNumbers(transaction, tenantId)
  await refuseTaken(transaction, tenantId, { number, block, tower })
  const [row] = await transaction.query<{ id: string }>(
    `insert into units (tenant_id, number, block, tower, label, plan)
     values ($1, $2::text || '~' || nextval(pg_get_serial_sequence('units', 'id')), $3, $4, coalesce($5, $2::text), $6)
     returning id::text`,
    [tenantId, number, block, tower, label, plan && JSON.stringify(plan)],
  )
  await settleNumbers(transaction, tenantId)
  return row!.id
}

/** Needs a transaction. Without a plan, the stored plan stays. Errors: UNIT_TAKEN. */
export async function changeUnit(
  transaction: Querier,
  { id, tenantId }: { id: string; tenantId: string },
  { number, block, tower, label, plan }: Omit<UnitChange, 'plan'> & Partial<Pick<UnitChange, 'plan'>>,
): Promise<void> {
  await lockNumbers(transaction, tenantId)
  await refuseTaken(transaction, tenantId, { number, block, tower }, id)
  await transaction.query(
    `update units set number = $2::text || '~' || id, block = $3, tower = $4, label = coalesce($5, $2::text),
       plan = case when $7 then $6 else plan end
     where id = $1`,
    [id, number, block, tower, label, plan ? JSON.stringify(plan) : null, plan !== undefined],
  )
  await settleNumbers(transaction, tenantId)
}

/** Block 2 and `Bloco 02` are one, which no index knows. Errors: UNIT_TAKEN. */
async function refuseTaken(
  transaction: Querier,
  tenantId: string,
  place: UnitPlace,
  own: string | null = null,
): Promise<void> {
  const others = await transaction.query<UnitPlace & Record<string, unknown>>(
    `select ${KEYED_NUMBER} as number, u.block, u.tower from units u
     where u.tenant_id = $1 and ${KEYED_NUMBER} = $2 and u.id is distinct from $3`,
    [tenantId, place.number, own],
  )
  if (others.some((other) => placeKey(other) === placeKey(place))) {
    throw fail('UNIT_TAKEN', { number: place.number })
  }
}

/** Needs a transaction. */
export async function deleteUnit(
  transaction: Querier,
  { id, tenantId }: { id: string; tenantId: string },
): Promise<void> {
  await lockNumbers(transaction, tenantId)
  await transaction.query('delete from units where id = $1', [id])
  await settleNumbers(transaction, tenantId)
}

/** Replaces the unit's residents, in order; existing ids are kept. */
export async function writeResidents(
  transaction: Querier,
  { id, tenantId }: { id: string; tenantId: string },
  residents: readonly (ResidentChange & { id?: string | undefined })[],
): Promise<void> {
  const rows = JSON.stringify(residents)
  const person = 'person (id bigint, name text, phone text, whatsapp text, notify boolean)'
  const list = `rows from (jsonb_to_recordset($2::jsonb) as (id bigint, name text, phone text, whatsapp text,
    notify boolean)) with ordinality as entry (id, name, phone, whatsapp, notify, place)`
  await transaction.query(
    `delete from residents where unit_id = $1
       and id not in (select id from jsonb_to_recordset($2::jsonb) as ${person} where id is not null)`,
    [id, rows],
  )
  await transaction.query(
    `update residents r set name = entry.name, phone = entry.phone, whatsapp = entry.whatsapp,
       notify = entry.notify, position = entry.place - 1
     from ${list} where r.id = entry.id and r.unit_id = $1`,
    [id, rows],
  )
  await transaction.query(
    `insert into residents (tenant_id, unit_id, name, phone, whatsapp, notify, position)
     select $3, $1, entry.name, entry.phone, entry.whatsapp, entry.notify, entry.place - 1
     from ${list}
     where entry.id is null or not exists (select from residents r where r.id = entry.id and r.unit_id = $1)`,
    [id, rows, tenantId],
  )
}

function readable(row: UnitRow): UnitRow {
  return { ...withHeld(row), ...readPlan(row.plan) }
}
