import type { Locale, Role } from '../platform/audio.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { findTenant, listExtensions } from './sql/directory.ts'

/** The tenant of the main port pair. */
export const MAIN_TENANT = 'default'
/** As the first migration writes it. */
const UNNAMED = 'Default'

/** Whose gate it is, and what is spoken there. */
export interface Entrance {
  tenantId: string
  locale: Locale
  /** Spoken after the greeting, where speech is synthesised. */
  name: string | null
  /** Whether callers may speak into what is said. */
  bargesIn: boolean
}

export interface EntranceOptions {
  /** The main port pair; it is the gate without a name. */
  visitorPort: number
  residentPort: number
  /** For tenants that have none of their own. */
  locale: Locale
}

export interface EntrancePort {
  /** Id of the extension. */
  gate: string
  role: Role
  port: number
}

/** The gates of the extensions table now: a tenant and a port pair each. `ports` are those beside the main pair, once each. */
export async function readEntrances(
  database: Querier,
  { visitorPort, residentPort, locale }: EntranceOptions,
) {
  const known = new Map<string, Entrance>()
  const entranceOf = async (tenantId: string): Promise<Entrance> => {
    const tenant = await findTenant(database, tenantId)
    return {
      tenantId,
      locale: tenant?.locale ?? locale,
      // a tenant that nobody named bears its id, and the main one its first name
      name: tenant && tenant.name !== tenantId && tenant.name !== UNNAMED ? tenant.name : null,
      bargesIn: tenant?.bargeIn ?? false,
    }
  }
  let main = await entranceOf(MAIN_TENANT)
  const taken = new Set([visitorPort, residentPort])
  const ports: EntrancePort[] = []
  const pairs = new Map<string, Record<Role, number>>()
  for (const row of await listExtensions(database)) {
    const entrance = await entranceOf(row.condominio_id)
    known.set(row.id, entrance)
    pairs.set(row.id, { visitor: row.porta_ia, resident: row.porta_retorno })
    if (row.porta_ia === visitorPort) main = entrance
    for (const [role, port] of [
      ['visitor', row.porta_ia],
      ['resident', row.porta_retorno],
    ] as const) {
      // several extensions of one entrance share its ports
      if (!taken.has(port)) ports.push({ gate: row.id, role, port })
      taken.add(port)
    }
  }
  return { main, known, pairs, ports }
}
