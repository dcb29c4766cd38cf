import type { Querier } from '../../platform/postgres/index.ts'
import type { Country } from '../phone-number.ts'
import { isHeld } from './numbers.ts'

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
  const [row] = await database.query<
    Omit<Unreached, 'residents'> & {
      country: Country
      residents: { id: string; whatsapp: string; isConfirmed: boolean }[]
    }
  >(
    `select t.locale, t.country, u.label as "unitLabel", coalesce((
       select jsonb_agg(jsonb_build_object('id', r.id::text, 'whatsapp', r.whatsapp, 'isConfirmed', c.number is not null)
         order by r.position, r.id)
       from residents r left join confirmed_numbers c on c.tenant_id = r.tenant_id and c.number = r.whatsapp
       where r.unit_id = u.id and r.notify and r.whatsapp is not null), '[]') as residents
     from tenants t join units u on u.tenant_id = t.id
     where t.id = $1 and u.id = $2 and t.settings @> '{"notifyUnreached": true}'`,
    [tenantId, unitId],
  )
  if (!row) return undefined
  const { country, residents, ...rest } = row
  return {
    ...rest,
    // a note tells where somebody is not at home
    residents: residents
      .filter(({ whatsapp, isConfirmed }) => !isHeld(whatsapp, country, isConfirmed))
      .map(({ id, whatsapp }) => ({ id, whatsapp })),
  }
}
