/** Maximum number of ids. A PBX reconnects within seconds, a retry storm within minutes. */
const REMEMBERED = 50_000

export type EndedCalls = ReturnType<typeof createEndedCalls>

/**
 * The ids of ended calls; the oldest are dropped first. A dialplan that reconnects cannot tell a lost server from a normal end,
 * so the visitor port must know which calls have ended.
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
