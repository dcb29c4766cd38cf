import type { Querier } from '../../platform/postgres/index.ts'
import type { ContactPlan } from '../contact-plan.ts'
import { RESIDENTS, type ResidentEntry, type Unit, withHeld } from './directory.ts'
import { readPlan } from './tenants.ts'

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
  /** Null: the number. */
  label: string | null
  plan: ContactPlan | null
}

type ResidentChange = Required<Omit<ResidentEntry, 'phone' | 'whatsapp'>> & {
  phone: string | null
  whatsapp: string | null
}

const UNIT = `
  select u.id::text, u.tenant_id as "tenantId", u.number, u.label, u.block, u.plan,
    ${RESIDENTS} as residents
  from units u`

interface UnitFilter {
  tenantId: string
  /** Part of a number, label, block or resident's name. */
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
         order by nullif(regexp_replace(number, '\\D', '', 'g'), '')::numeric nulls last, number) as place
       from units where tenant_id = $1)
     ${UNIT} join placed p on p.id = u.id
     where p.place > coalesce((select place from placed where id = $3::bigint), 0)
       and ($2::text is null or position(lower($2) in lower(concat_ws(' ', u.number, u.label, u.block))) > 0
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

/** Resolves with its id. Rejects if the number is taken (isTaken) or there is no such tenant (isOrphan). */
export async function createUnit(
  database: Querier,
  tenantId: string,
  { number, block, label, plan }: UnitChange,
): Promise<string> {
  const [row] = await database.query<{ id: string }>(
    `insert into units (tenant_id, number, block, label, plan) values ($1, $2, $3, coalesce($4, $2), $5)
     returning id::text`,
    [tenantId, number, block, label, plan && JSON.stringify(plan)],
  )
  return row!.id
}

/** Without a plan, the stored plan stays. Rejects if the number is taken (isTaken). */
export async function changeUnit(
  database: Querier,
  id: string,
  { number, block, label, plan }: Omit<UnitChange, 'plan'> & Partial<Pick<UnitChange, 'plan'>>,
): Promise<void> {
  await database.query(
    `update units set number = $2, block = $3, label = coalesce($4, $2), plan = case when $6 then $5 else plan end
     where id = $1`,
    [id, number, block, label, plan ? JSON.stringify(plan) : null, plan !== undefined],
  )
}

export async function deleteUnit(database: Querier, id: string): Promise<void> {
  await database.query('delete from units where id = $1', [id])
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
