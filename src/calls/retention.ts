import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { deleteOlderThan } from '../store/calls.ts'
import type { Querier } from '../store/database.ts'

/** ms between two sweeps. */
const EVERY_MS = 60 * 60 * 1000

export interface RetentionOptions {
  database: Querier
  days: number
  /** Holds a folder for each call. */
  recordings: string
  log: Logger
}

/** Deletes ended calls, their journal and their recordings after so many days: at the start and once an hour. */
export function keepRetention({ database, days, recordings, log }: RetentionOptions) {
  let sweeping: Promise<void> | undefined
  let stopped = false

  const sweep = async () => {
    let calls = 0
    while (!stopped) {
      const ids = await deleteOlderThan(database, days)
      if (ids.length === 0) break
      for (const id of ids) await rm(join(recordings, id), { recursive: true, force: true })
      calls += ids.length
    }
    if (calls > 0) log.info({ calls, days }, 'old calls were deleted')
  }

  const begin = () => {
    sweeping ??= sweep()
      .catch((error) => log.warn({ reason: reasonOf(error) }, 'old calls could not be deleted'))
      .finally(() => {
        sweeping = undefined
      })
  }

  begin()
  const timer = setInterval(begin, EVERY_MS)
  return {
    async stop() {
      stopped = true
      clearInterval(timer)
      await sweeping
    },
  }
}
