import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { ROLLUP_KINDS } from './kinds.ts'
import { computeHours, dueHours } from './sql/rollups.ts'

/** ms between two sweeps: the last hour is at most so old. */
const EVERY_MS = 60_000
/** Hours in one transaction. */
const BATCH = 24

interface SweepOptions {
  database: Database
  /** RETENTION_DAYS: how long the rows are kept that are counted. */
  retentionDays: number
  now?: () => Date
}

/** Computes the hours whose counts are due. Resolves with their number. Two processes at once do the work of one. */
export async function sweepRollups({
  database,
  retentionDays,
  now = () => new Date(),
}: SweepOptions): Promise<number> {
  const at = now()
  let computed = 0
  for (const kind of ROLLUP_KINDS) {
    for (;;) {
      const hours = await dueHours(database, { kind, now: at, retentionDays, limit: BATCH })
      if (hours.length === 0) break
      const isOurs = await database.transaction((transaction) =>
        computeHours(transaction, { kind, hours, now: at }),
      )
      if (!isOurs) break
      computed += hours.length
    }
  }
  return computed
}

/** Sweeps at the start and each minute. */
export function startRollups({ log, ...options }: SweepOptions & { log: Logger }) {
  let sweeping: Promise<unknown> | undefined
  const begin = () => {
    sweeping ??= sweepRollups(options)
      .catch((error) =>
        log.debug({ reason: reasonOf(error) }, 'history could not be counted; it is tried again'),
      )
      .finally(() => {
        sweeping = undefined
      })
  }
  begin()
  const timer = setInterval(begin, EVERY_MS)
  return {
    async stop() {
      clearInterval(timer)
      await sweeping
    },
  }
}
