import type { Querier } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import { findGate, type GateTarget } from './sql/gates.ts'

/** Gates that are remembered; beyond it the oldest go. */
const REMEMBERED = 10_000
/** ms that a database may take to say again what is remembered; one that hangs says nothing for longer. */
const GATE_LOOKUP_MS = 1000

export type GateTargets = ReturnType<typeof createGateTargets>

/**
 * Where gates are. What was read last serves while the database is away: whoever was let in should not stand before a closed
 * gate because of it.
 */
export function createGateTargets({ database }: { database: Querier }) {
  const remembered = new Map<string, GateTarget | undefined>()

  const ask = async (tenantId: string, id: string | null): Promise<GateTarget | undefined> => {
    const key = JSON.stringify([tenantId, id])
    try {
      const asked = findGate(database, tenantId, id).then((gate) => ({ gate }))
      const answer = remembered.has(key) ? await withTimeout(GATE_LOOKUP_MS, asked) : await asked
      if (!answer) return remembered.get(key)
      const { gate: found } = answer
      remembered.delete(key)
      remembered.set(key, found)
      if (remembered.size > REMEMBERED) remembered.delete(remembered.keys().next().value!)
      // by its own id too: a command names the gate that was found
      if (found) remembered.set(JSON.stringify([tenantId, found.id]), found)
      return found
    } catch (error) {
      if (remembered.has(key)) return remembered.get(key)
      throw error
    }
  }

  return {
    /** The gate of an extension, else the tenant's main one; undefined where neither is, or it is disabled. */
    async of(tenantId: string, extension: string | null): Promise<GateTarget | undefined> {
      const gate = await ask(tenantId, extension)
      return gate?.enabled ? gate : undefined
    },
    /** The very gate of that id: another one in its place would open where nobody stands. */
    async find(tenantId: string, id: string): Promise<GateTarget | undefined> {
      const gate = await ask(tenantId, id)
      return gate?.enabled && gate.id === id ? gate : undefined
    },
  }
}
