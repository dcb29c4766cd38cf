import type { Querier } from '../platform/postgres/index.ts'
import { type ContactPlan, contactPlan, DEFAULT_PLAN } from './contact-plan.ts'
import {
  type AutoOpenWindow,
  type BlockedVisitor,
  type EntryRules,
  isBlocked,
  isOpen,
  type Visitor,
} from './entry-rules.ts'
import { KEYED_NUMBER } from './sql/unit-number.ts'
import { placeKey, ruleKeys, type UnitPlace } from './unit-place.ts'

/** A directory's rules: the tenant's own, and those of units by number, or by place where several have one (ruleKeys). */
export interface DirectoryRules {
  tenant?: EntryRules
  units?: Record<string, EntryRules>
}

export interface EarlyDecision {
  decision: 'blocked' | 'authorized' | 'contact'
  /** The rule that decided, for the journal; its reason is for operators, not for visitors. */
  rule?: { table: 'block_list' | 'auto_open_windows'; id: string; reason: string | null }
}

export interface ResolvedPlan {
  steps: ContactPlan
  from: 'unit' | 'tenant' | 'default'
  /** Owner of a plan that could not be read and was skipped: the visitor must still reach somebody. */
  problem: 'unit' | 'tenant' | null
}

/** The unit's plan, else the tenant's, else the default. */
export async function resolvePlan(
  database: Querier,
  tenantId: string,
  unitId: string | null,
): Promise<ResolvedPlan> {
  const [row] = await database.query<{ unit: unknown; tenant: unknown }>(
    `select t.settings -> 'plan' as tenant, u.plan as unit
     from tenants t left join units u on u.tenant_id = t.id and u.id = $2 where t.id = $1`,
    [tenantId, unitId],
  )
  return readPlanOf(row ?? { unit: null, tenant: null })
}

/** The first stored plan that can be read, the unit's before the tenant's. */
export function readPlanOf(row: { unit: unknown; tenant: unknown }): ResolvedPlan {
  let problem: ResolvedPlan['problem'] = null
  for (const from of ['unit', 'tenant'] as const) {
    const stored = row[from] ?? null
    if (stored === null) continue
    const plan = contactPlan.safeParse(stored)
    if (plan.success) return { steps: plan.data, from, problem }
    problem ??= from
  }
  return { steps: DEFAULT_PLAN, from: 'default', problem }
}

/** The stored plans of a tenant, readable or not: its own, and those of its units by id. */
export interface StoredPlans {
  tenant: unknown
  units: ReadonlyMap<string, unknown>
}

export async function listPlans(database: Querier, tenantId: string): Promise<StoredPlans> {
  const plans = await readPlans(database, tenantId)
  return {
    tenant: plans.find(({ unit }) => unit === null)?.plan ?? null,
    units: new Map(plans.flatMap(({ unit, plan }) => (unit === null ? [] : [[unit, plan] as const]))),
  }
}

function readPlans(database: Querier, tenantId: string) {
  return database.query<{ unit: string | null; plan: ContactPlan }>(
    `select null as unit, settings -> 'plan' as plan from tenants where id = $1 and settings ? 'plan'
     union all select id::text, plan from units where tenant_id = $1 and plan is not null`,
    [tenantId],
  )
}

/** The decision of the rules before anybody is called, if any. A block has precedence over a window. */
export async function decideEarly(
  database: Querier,
  tenantId: string,
  unitId: string | null,
  visitor: Visitor,
  now: Date,
): Promise<EarlyDecision> {
  const block = blockBy(await listBlocked(database, tenantId, unitId), visitor, now)
  if (block) return block
  // an intent is only known from the visitor's own words
  const windows = await listWindows(database, tenantId, unitId, OPENING)
  const window = windows.find((row) => isOpen(row, visitor, now))
  if (!window) return { decision: 'contact' }
  return { decision: 'authorized', rule: { table: 'auto_open_windows', id: window.id, reason: null } }
}

/** The decision of the rule that blocks the visitor; undefined if none does. */
export function blockBy(
  blocked: readonly BlockedRule[],
  visitor: Visitor,
  now: Date,
): EarlyDecision | undefined {
  const block = blocked.find((row) => isBlocked(row, visitor, now))
  if (!block) return undefined
  return { decision: 'blocked', rule: { table: 'block_list', id: block.id, reason: block.reason ?? null } }
}

interface RuleRow {
  id: string
  /** Absent: all units. */
  unit?: string
}

export type BlockedRule = BlockedVisitor & RuleRow

/** Rules of the tenant and of one unit; without a unit, only of the tenant. */
const APPLIES = 'r.tenant_id = $1 and (r.unit_id is null or r.unit_id = $2)'
const EVERY = 'r.tenant_id = $1 and $2::bigint is null'
/** The windows among them that may open. */
const OPENING = `${APPLIES} and (r.intent is null or (select trusts_intent from tenants where id = $1))`

/** `every`: of all units. */
export function listBlocked(
  database: Querier,
  tenantId: string,
  unitId: string | null,
  of: 'unit' | 'every' = 'unit',
): Promise<BlockedRule[]> {
  const where = of === 'every' ? EVERY : APPLIES
  return readRules(
    database,
    `select r.id::text, u.id::text as unit, r.phone, r.name, r.reason,
       to_char(r.until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as until
     from block_list r left join units u on u.id = r.unit_id where ${where} order by r.id`,
    [tenantId, unitId],
  )
}

function listWindows(
  database: Querier,
  tenantId: string,
  unitId: string | null,
  where = APPLIES,
): Promise<(AutoOpenWindow & RuleRow)[]> {
  return readRules(
    database,
    `select r.id::text, u.id::text as unit, r.weekdays, to_char(r.opens, 'HH24:MI') as "from",
       to_char(r.closes, 'HH24:MI') as "to", r.timezone, r.intent
     from auto_open_windows r left join units u on u.id = r.unit_id where ${where} order by r.id`,
    [tenantId, unitId],
  )
}

/** Rows without their null fields, as in files. */
async function readRules<T>(database: Querier, text: string, values: unknown[]): Promise<T[]> {
  const rows = await database.query(text, values)
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as T)
}

/**
 * Writes a directory's rules; each given part replaces that of its tenant or unit. Pass the transaction that
 * wrote the units: rules of missing units are skipped.
 */
export async function importRules(
  transaction: Querier,
  tenantId: string,
  { tenant, units = {} }: DirectoryRules,
): Promise<void> {
  const idOf = await unitIds(transaction, tenantId)
  const owned = Object.entries(units).flatMap(([key, rules]) => {
    const unit = idOf(key)
    return unit === undefined ? [] : [[unit, rules] as const]
  })
  const entries = [[null, tenant] as const, ...owned].flatMap(([unit, rules]) =>
    rules ? [{ unit, ...rules }] : [],
  )
  const given = entries.map((entry) => ({ ...entry, blocks: 'blocked' in entry, opens: 'windows' in entry }))
  const values = [tenantId, JSON.stringify(given)]
  await transaction.query(
    `update tenants set settings = jsonb_set(settings, '{plan}', entry.plan)
     from jsonb_to_recordset($2::jsonb) as entry (unit bigint, plan jsonb)
     where tenants.id = $1 and entry.unit is null and entry.plan is not null`,
    values,
  )
  await transaction.query(
    `update units set plan = entry.plan from jsonb_to_recordset($2::jsonb) as entry (unit bigint, plan jsonb)
     where units.tenant_id = $1 and units.id = entry.unit and entry.plan is not null`,
    values,
  )
  for (const { table, flag, columns, record } of TABLES) {
    await transaction.query(
      `delete from ${table} r using jsonb_to_recordset($2::jsonb) as entry (unit bigint, ${flag} boolean)
       where r.tenant_id = $1 and entry.${flag} and r.unit_id is not distinct from entry.unit`,
      values,
    )
    await transaction.query(
      `insert into ${table} (tenant_id, unit_id, ${columns})
       select $1, entry.unit, ${record.select}
       from jsonb_to_recordset($2::jsonb) as entry (unit bigint, ${record.list} jsonb)
       cross join jsonb_to_recordset(coalesce(entry.${record.list}, '[]')) as rule (${record.columns})`,
      values,
    )
  }
}

/** The ids of units by their rules' keys. */
async function unitIds(database: Querier, tenantId: string): Promise<(key: string) => string | undefined> {
  const places = await unitPlaces(database, tenantId)
  const keyOf = ruleKeys(places)
  const ids = new Map(
    places.flatMap((place) => [placeKey(place), keyOf(place)].map((key) => [key, place.id])),
  )
  return (key) => ids.get(key)
}

function unitPlaces(database: Querier, tenantId: string): Promise<(UnitPlace & { id: string })[]> {
  return database.query(
    `select u.id::text, ${KEYED_NUMBER} as number, u.block, u.tower from units u where u.tenant_id = $1`,
    [tenantId],
  )
}

const TABLES = [
  {
    table: 'block_list',
    flag: 'blocks',
    columns: 'phone, name, reason, until',
    record: {
      list: 'blocked',
      select: 'rule.phone, rule.name, rule.reason, rule.until',
      columns: 'phone text, name text, reason text, until timestamptz',
    },
  },
  {
    table: 'auto_open_windows',
    flag: 'opens',
    columns: 'weekdays, opens, closes, timezone, intent',
    record: {
      list: 'windows',
      select: `array(select jsonb_array_elements_text(rule.weekdays)::smallint), rule."from", rule."to", rule.timezone,
        rule.intent`,
      columns: 'weekdays jsonb, "from" time, "to" time, timezone text, intent text',
    },
  },
] as const

/** A tenant's rules in the form of importRules; undefined if there are none. */
export async function exportRules(database: Querier, tenantId: string): Promise<DirectoryRules | undefined> {
  const plans = await readPlans(database, tenantId)
  const blocked = await listBlocked(database, tenantId, null, 'every')
  const windows = await listWindows(database, tenantId, null, EVERY)
  const places = await unitPlaces(database, tenantId)
  const keyOf = ruleKeys(places)
  const keys = new Map(places.map((place) => [place.id, keyOf(place)]))
  const tenant: EntryRules = {}
  const units: Record<string, EntryRules> = {}
  const rulesOf = (unit: string | null | undefined) => {
    const key = unit == null ? undefined : keys.get(unit)
    if (key === undefined) return tenant
    units[key] ??= {}
    return units[key]
  }
  for (const { unit, plan } of plans) rulesOf(unit).plan = plan
  for (const { id: _, unit, ...rule } of blocked) {
    const rules = rulesOf(unit)
    rules.blocked = [...(rules.blocked ?? []), rule]
  }
  for (const { id: _, unit, ...rule } of windows) {
    const rules = rulesOf(unit)
    rules.windows = [...(rules.windows ?? []), rule]
  }
  const some = {
    ...(Object.keys(tenant).length > 0 && { tenant }),
    ...(Object.keys(units).length > 0 && { units }),
  }
  return Object.keys(some).length > 0 ? some : undefined
}
