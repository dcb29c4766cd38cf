import { createCache } from '../platform/cache.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import { findGate, type GateTarget } from './sql/gates.ts'

/** Most cached gates. */
const MAX_GATES = 10_000
/** ms for the database to confirm a cached gate; after that the cached one is used. */
const GATE_LOOKUP_MS = 1000

export type GateTargets = ReturnType<typeof createGateTargets>

/**
 * Finds gates. While the database is away the cached ones serve, so that an authorized visitor does not wait before a closed
 * gate.
 */
export function createGateTargets({ database }: { database: Querier }) {
  const cache = createCache<{ gate: GateTarget | undefined }>(MAX_GATES)

  const ask = async (tenantId: string, id: string | null): Promise<GateTarget | undefined> => {
    const key = JSON.stringify([tenantId, id])
    try {
      const asked = findGate(database, tenantId, id).then((gate) => ({ gate }))
      const answer = cache.get(key) ? await withTimeout(GATE_LOOKUP_MS, asked) : await asked
      if (!answer) return cache.get(key)?.gate
      const { gate: found } = answer
      cache.set(key, { gate: found })
      // under its own id too: a command names the gate that was found
      if (found) cache.set(JSON.stringify([tenantId, found.id]), { gate: found })
      return found
    } catch (error) {
      const cached = cache.get(key)
      if (cached) return cached.gate
      throw error
    }
  }

  return {
    /** The gate of an extension, else the tenant's main one; undefined if there is neither, or it is disabled. */
    async of(tenantId: string, extension: string | null): Promise<GateTarget | undefined> {
      const gate = await ask(tenantId, extension)
      return gate?.enabled ? gate : undefined
    },
    /** The gate with exactly this id: its replacement may be at another place. */
    async find(tenantId: string, id: string): Promise<GateTarget | undefined> {
      const gate = await ask(tenantId, id)
      return gate?.enabled && gate.id === id ? gate : undefined
    },
  }
}
