import type { Querier } from '../../platform/postgres/index.ts'

/** The recipients of a note about a visit that reached nobody. */
interface Unreached {
  /** Null: that of the service. */
  locale: 'pt-BR' | 'en' | null
  unitLabel: string
  /** Residents with WhatsApp who accept messages, in calling order. */
  residents: { id: string; whatsapp: string }[]
}

/** Undefined unless the tenant enables such notes (`notifyUnreached`) and the unit still exists. */
export async function findUnreached(
  database: Querier,
  tenantId: string,
  unitId: string,
): Promise<Unreached | undefined> {
  const [row] = await database.query<Unreached>(
    `select t.locale, u.label as "unitLabel", coalesce((
       select jsonb_agg(jsonb_build_object('id', r.id::text, 'whatsapp', r.whatsapp) order by r.position, r.id)
       from residents r where r.unit_id = u.id and r.notify and r.whatsapp is not null), '[]') as residents
     from tenants t join units u on u.tenant_id = t.id
     where t.id = $1 and u.id = $2 and t.settings @> '{"notifyUnreached": true}'`,
    [tenantId, unitId],
  )
  return row
}
