import type { Querier } from '../../platform/postgres/index.ts'
import type { Intent } from '../entry-rules.ts'
import { KEYED_NUMBER } from './unit-number.ts'

/** Single rules, for editing; src/directory/entry-rules.ts defines their meaning. */
interface Rule {
  id: string
  tenantId: string
  /** Number of its unit; null: all units. */
  unit: string | null
  block: string | null
  tower: string | null
  createdAt: Date
}

export interface BlockedRow extends Rule {
  phone: string | null
  name: string | null
  reason: string | null
  until: Date | null
}

export interface WindowRow extends Rule {
  weekdays: number[]
  from: string
  to: string
  timezone: string
  intent: Intent | null
}

/** The owner of a written rule: a new rule, or the one with the id. */
export interface RuleOwner {
  id?: string | undefined
  tenantId: string
  unitId: string | null
}

export type RuleTable = 'block_list' | 'auto_open_windows'

interface BlockedChange {
  phone?: string | undefined
  name?: string | undefined
  reason?: string | undefined
  until?: string | undefined
}

interface WindowChange {
  weekdays: readonly number[]
  from: string
  to: string
  timezone: string
  intent?: Intent | undefined
}

const COMMON = `r.id::text, r.tenant_id as "tenantId", ${KEYED_NUMBER} as unit, u.block, u.tower, r.created_at as "createdAt"`
const SELECTED: Record<RuleTable, string> = {
  block_list: `${COMMON}, r.phone, r.name, r.reason, r.until`,
  auto_open_windows: `${COMMON}, r.weekdays, to_char(r.opens, 'HH24:MI') as "from",
    to_char(r.closes, 'HH24:MI') as "to", r.timezone, r.intent`,
}

/** Windows that never open, by reason, for one tenant or all. */
interface ShutWindows {
  /** They end when they begin. */
  empty: number
  /** They have an intent, and their tenant does not trust what visitors say. */
  untrusted: number
}

export async function countShutWindows(database: Querier, tenantId?: string): Promise<ShutWindows> {
  const [row] = await database.query<ShutWindows>(
    `select count(*) filter (where w.opens = w.closes)::int as empty,
       count(*) filter (where w.opens <> w.closes and w.intent is not null and not t.trusts_intent)::int as untrusted
     from auto_open_windows w join tenants t on t.id = w.tenant_id where $1::text is null or w.tenant_id = $1`,
    [tenantId ?? null],
  )
  return row!
}

/** Rules in order of creation. `id`: only this one, if it belongs to the tenant. */
export function listRules<Row extends Rule>(
  database: Querier,
  table: RuleTable,
  { tenantId, id }: { tenantId: string | null; id?: string },
): Promise<Row[]> {
  return database.query<Row>(
    `select ${SELECTED[table]} from ${table} r left join units u on u.id = r.unit_id
     where ($1::text is null or r.tenant_id = $1) and ($2::bigint is null or r.id = $2) order by r.id`,
    [tenantId, id ?? null],
  )
}

/** Resolves with the id. `unitId` must be of the same tenant. */
export async function writeBlocked(
  database: Querier,
  owner: RuleOwner,
  { phone, name, reason, until }: BlockedChange,
): Promise<string> {
  return write(database, 'block_list', owner, {
    phone: phone ?? null,
    name: name ?? null,
    reason: reason ?? null,
    until: until ?? null,
  })
}

/** Resolves with the id. `unitId` must be of the same tenant. */
export async function writeWindow(
  database: Querier,
  owner: RuleOwner,
  { weekdays, from, to, timezone, intent }: WindowChange,
): Promise<string> {
  return write(database, 'auto_open_windows', owner, {
    weekdays,
    opens: from,
    closes: to,
    timezone,
    intent: intent ?? null,
  })
}

export async function deleteRule(database: Querier, table: RuleTable, id: string): Promise<void> {
  await database.query(`delete from ${table} where id = $1`, [id])
}

async function write(
  database: Querier,
  table: RuleTable,
  { id, tenantId, unitId }: RuleOwner,
  values: Record<string, unknown>,
): Promise<string> {
  const names = ['tenant_id', 'unit_id', ...Object.keys(values)]
  const given = [tenantId, unitId, ...Object.values(values)]
  const places = names.map((_, at) => `$${at + 1}`)
  const text =
    id === undefined
      ? `insert into ${table} (${names}) values (${places}) returning id::text`
      : `update ${table} set (${names}) = row(${places}) where id = $${names.length + 1} returning id::text`
  const [row] = await database.query<{ id: string }>(text, id === undefined ? given : [...given, id])
  return row!.id
}
