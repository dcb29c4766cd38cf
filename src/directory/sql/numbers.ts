import { createCache } from '../../platform/cache.ts'
import type { Querier } from '../../platform/postgres/index.ts'
import { type Country, callingCodes, nationalTwin } from '../phone-number.ts'
import { KEYED_NUMBER } from './unit-number.ts'

/**
 * A resident whose WhatsApp number may belong to a stranger: it was stored as foreign, and its digits are a national
 * number too.
 */
export interface HeldNumber {
  tenantId: string
  unitId: string
  /** Number of the unit. */
  unit: string
  residentId: string
  residentName: string
  /** As it is stored, in E.164. */
  number: string
  /** The national number of the same digits, in E.164. */
  twin: string
}

/** Parsing a number takes longer than reading its row, and the same numbers are read again and again. */
const twins = createCache<{ number: string | undefined }>(10_000)
const CALLING_CODES = JSON.stringify(callingCodes())

/** As nationalTwin, remembered. */
function twinOf(number: string, country: Country): string | undefined {
  const id = `${country}${number}`
  let known = twins.get(id)
  if (!known) {
    known = { number: nationalTwin(number, country) }
    twins.set(id, known)
  }
  return known.number
}

/**
 * Whether nobody may be asked by `number`, and nothing is decided by it: it has a national twin, and nobody confirmed
 * it.
 */
export function isHeld(number: string, country: Country, isConfirmed: boolean): boolean {
  return !isConfirmed && twinOf(number, country) !== undefined
}

/** Whether a tenant holds this number. A tenant that does not exist holds none. */
export async function holdsNumber(database: Querier, tenantId: string, number: string): Promise<boolean> {
  const [tenant] = await database.query<{ country: Country; isConfirmed: boolean }>(
    `select country, exists (select from confirmed_numbers where tenant_id = $1 and number = $2) as "isConfirmed"
     from tenants where id = $1`,
    [tenantId, number],
  )
  return tenant !== undefined && isHeld(number, tenant.country, tenant.isConfirmed)
}

/** Of one tenant, or of all; in the order of tenants and units. */
export async function listHeldNumbers(database: Querier, tenantId?: string): Promise<HeldNumber[]> {
  const rows = await database.query<Omit<HeldNumber, 'twin'> & { country: Country }>(
    `select r.tenant_id as "tenantId", u.id::text as "unitId", ${KEYED_NUMBER} as unit, r.id::text as "residentId",
       r.name as "residentName", r.whatsapp as number, t.country
     from residents r join units u on u.id = r.unit_id join tenants t on t.id = r.tenant_id
     where r.whatsapp is not null and ($1::text is null or r.tenant_id = $1)
       and not starts_with(r.whatsapp, '+' || ($2::jsonb ->> t.country))
       and not exists (select from confirmed_numbers c where c.tenant_id = r.tenant_id and c.number = r.whatsapp)
     order by r.tenant_id, u.id, r.position, r.id`,
    [tenantId ?? null, CALLING_CODES],
  )
  return rows.flatMap(({ country, ...row }) => {
    const twin = twinOf(row.number, country)
    return twin === undefined ? [] : [{ ...row, twin }]
  })
}

/** Somebody has made sure that these numbers are foreign. Rejects where there is no such tenant (isOrphan). */
export async function confirmNumbers(
  database: Querier,
  tenantId: string,
  numbers: readonly string[],
): Promise<void> {
  await database.query(
    `insert into confirmed_numbers (tenant_id, number) select $1, number from unnest($2::text[]) as number
     on conflict do nothing`,
    [tenantId, numbers],
  )
}
