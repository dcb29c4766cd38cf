import type { Locale, Role } from '../platform/audio.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { findTenant, listExtensions } from './sql/directory.ts'
import type { VoiceSettings } from './voice-settings.ts'

/** The tenant of the main port pair. */
export const MAIN_TENANT = 'default'
/** The name that the first migration writes. */
const UNNAMED = 'Default'

/** An entrance: its tenant and its prompts. */
export interface Entrance extends VoiceSettings {
  tenantId: string
  locale: Locale
  /** Spoken after the greeting, where speech is synthesised. */
  name: string | null
  /** Whether callers may interrupt prompts by voice. */
  bargesIn: boolean
}

export interface EntranceOptions {
  /** Port of the main port pair, the entrance without a name. */
  visitorPort: number
  residentPort: number
  /** Default for tenants without a locale. */
  locale: Locale
}

export interface EntrancePort {
  /** Id of the extension. */
  entrance: string
  role: Role
  port: number
}

/**
 * The current entrances of the extensions table, each with tenant and port pair. `ports` lists all ports beside the
 * main pair once.
 */
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
      // the name of an unnamed tenant is its id, that of the main tenant its initial name
      name: tenant && tenant.name !== tenantId && tenant.name !== UNNAMED ? tenant.name : null,
      bargesIn: tenant?.bargeIn ?? false,
      listening: tenant?.listening ?? {},
      texts: tenant?.texts ?? {},
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
      if (!taken.has(port)) ports.push({ entrance: row.id, role, port })
      taken.add(port)
    }
  }
  return { main, known, pairs, ports }
}
