import { createCache } from '../platform/cache.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier, Transaction } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import { counterWithin, nextCounter } from './sql/gates.ts'

/** Maximum number of gates whose last number is remembered. */
const MAX_GATES = 10_000
/** ms for the database to give a number. */
const COUNTER_MS = 500

/**
 * Numbers gate commands in Postgres, for all processes together. While it is away this process numbers by its clock, which is what
 * Postgres goes by too.
 */
export function createCounters({ database, log }: { database: Querier; log: Logger }) {
  /** The last number that this process gave to each gate. */
  const last = createCache<number>(MAX_GATES)
  const keyOf = (tenantId: string, gateId: string) => JSON.stringify([tenantId, gateId])
  const note = (key: string, counter: number) => last.set(key, Math.max(last.get(key) ?? 0, counter))

  /** The number of a command that is sent now. */
  const next = async (tenantId: string, gateId: string): Promise<number> => {
    const key = keyOf(tenantId, gateId)
    const asked = nextCounter(database, tenantId, gateId, last.get(key) ?? 0).catch((error) => {
      log.warn(
        { tenant: tenantId, gate: gateId, reason: reasonOf(error) },
        'a gate command is numbered by the clock',
      )
      return undefined
    })
    const given = await withTimeout(COUNTER_MS, asked)
    // another command may have got a number in the meantime
    const counter = given ?? Math.max((last.get(key) ?? 0) + 1, Date.now())
    note(key, counter)
    return counter
  }

  /** The number of a command that is sent as soon as this transaction is committed; undefined: ask again then. */
  const within = async (
    transaction: Transaction,
    tenantId: string,
    gateId: string,
  ): Promise<number | undefined> => {
    const key = keyOf(tenantId, gateId)
    const counter = await counterWithin(transaction, tenantId, gateId, last.get(key) ?? 0)
    if (counter !== undefined) note(key, counter)
    return counter
  }

  return { next, within }
}
