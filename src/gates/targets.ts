import { createCache } from '../platform/cache.ts'
import { fail } from '../platform/errors.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import { findGate, type GateTarget, listTargets, MAIN_GATE } from './sql/gates.ts'

/** Maximum number of cached gates. */
const MAX_GATES = 10_000
/** ms for the database to confirm a cached gate; after that the cached one is used. */
const CONFIRM_MS = 150
/** ms for the database to find a gate that is not cached. */
const LOOKUP_MS = 1000

export type GateTargets = ReturnType<typeof createGateTargets>

/**
 * Finds gates. While the database is away the cached ones serve, so that an authorized visitor does not wait before a closed
 * gate.
 */
export function createGateTargets({ database }: { database: Querier }) {
  let cache = createCache<{ gate: GateTarget | undefined }>(MAX_GATES)
  /** Whether the cache had every gate. */
  let complete = false

  const keyOf = (tenantId: string, id: string) => JSON.stringify([tenantId, id])

  const cached = (tenantId: string, id: string) =>
    cache.get(keyOf(tenantId, id)) ??
    (complete ? (cache.get(keyOf(tenantId, MAIN_GATE)) ?? { gate: undefined }) : undefined)

  const ask = async (tenantId: string, id: string): Promise<GateTarget | undefined> => {
    try {
      // the tenant's main gate may be another door: an entrance's own gate is waited for longer
      const known = cache.get(keyOf(tenantId, id))
      const asked = findGate(database, tenantId, id).then((gate) => ({ gate }))
      const answer = await withTimeout(known ? CONFIRM_MS : LOOKUP_MS, asked)
      if (!answer) throw fail('DATABASE_UNREACHABLE', { reason: `no answer in ${LOOKUP_MS} ms` })
      const { gate: found } = answer
      cache.set(keyOf(tenantId, id), { gate: found })
      // under its own id too: a command names the gate that was found
      if (found) cache.set(keyOf(tenantId, found.id), { gate: found })
      return found
    } catch (error) {
      const known = cached(tenantId, id)
      if (known) return known.gate
      throw error
    }
  }

  return {
    /** The gate of an entrance, else the tenant's main one; undefined if there is neither, or it is disabled. */
    async of(tenantId: string, entrance: string | null): Promise<GateTarget | undefined> {
      const gate = await ask(tenantId, entrance ?? MAIN_GATE)
      return gate?.enabled ? gate : undefined
    },
    /** The gate with exactly this id: its replacement may be at another place. */
    async find(tenantId: string, id: string): Promise<GateTarget | undefined> {
      const gate = await ask(tenantId, id)
      return gate?.enabled && gate.id === id ? gate : undefined
    },
    /** Reads every gate, so that each is known if the database is away later. */
    async load(): Promise<void> {
      const all = await listTargets(database, MAX_GATES)
      // deleted ones go
      cache = createCache(MAX_GATES)
      for (const gate of all) cache.set(keyOf(gate.tenantId, gate.id), { gate })
      complete = all.length < MAX_GATES
    },
  }
}
