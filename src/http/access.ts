import type { Topics } from '../cluster/index.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { Caller } from './auth.ts'
import { validAccess } from './sql/sessions.ts'

declare module 'fastify' {
  interface FastifyInstance {
    access: AccessWatch
  }
}

/** Published by the database's triggers (migrations/0021-sessions.sql) with the id of a key or session that ended. */
const TOPIC = 'access.ended'
/** Interval of checks in ms, for an announcement that was lost. */
const CHECK_MS = 10_000

type AccessWatch = ReturnType<typeof createAccessWatch>

interface AccessWatchOptions {
  database: Database
  /** Undefined: only the checks notice. */
  topics?: Pick<Topics, 'subscribe'> | undefined
  /** ms; CHECK_MS unless given. */
  checkMs?: number | undefined
}

/** Ends what callers hold open (streams, inspectors, telephones) as soon as their key is revoked or their session is over. */
export function createAccessWatch({ database, topics, checkMs = CHECK_MS }: AccessWatchOptions) {
  const held = new Map<string, Set<() => void>>()

  const end = (id: string) => {
    const ends = held.get(id)
    held.delete(id)
    for (const one of ends ?? []) one()
  }
  const check = async (ids: readonly string[]) => {
    if (ids.length === 0) return
    const valid = new Set(await validAccess(database, ids))
    for (const id of ids) if (!valid.has(id)) end(id)
  }
  // while the database is away no key can be checked, and none can be revoked; the next check tries again
  const checkAll = () => void check([...held.keys()]).catch(() => {})
  const checking = setInterval(checkAll, checkMs)
  const unsubscribe = topics?.subscribe(TOPIC, (id) => (id === undefined ? checkAll() : end(id)))

  return {
    /** Calls `ended` once when the caller's access ends. Returns the function that lets go. */
    hold({ access }: Caller, ended: () => void): () => void {
      let isHeld = true
      const letGo = () => {
        isHeld = false
        for (const id of access) {
          const ends = held.get(id)
          ends?.delete(once)
          if (ends?.size === 0) held.delete(id)
        }
      }
      const once = () => {
        if (!isHeld) return
        letGo()
        ended()
      }
      for (const id of access) held.set(id, (held.get(id) ?? new Set()).add(once))
      // it may have ended since the request was authenticated
      void check(access).catch(() => {})
      return letGo
    },
    /** Ends what is held with this key or session in this process; the database tells the others. */
    end,
    close() {
      clearInterval(checking)
      unsubscribe?.()
    },
  }
}
