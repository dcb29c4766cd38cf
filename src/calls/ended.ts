/** Ids that are remembered: a PBX reconnects within seconds, a retry storm within minutes. */
const REMEMBERED = 50_000

export type EndedCalls = ReturnType<typeof createEndedCalls>

/**
 * The ids of ended calls, the oldest forgotten first. A dialplan that reconnects sees no difference between a lost server
 * and a normal end, so the visitor port must know whose call is over.
 */
export function createEndedCalls(known: Iterable<string> = []) {
  const ids = new Set(known)
  return {
    has: (id: string) => ids.has(id),
    add(id: string) {
      ids.add(id)
      if (ids.size > REMEMBERED) for (const oldest of ids) return ids.delete(oldest)
    },
  }
}
