import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../store/database.ts'
import { endLostCalls } from '../store/lost-calls.ts'

/** ms beyond the longest call after which one that is said to live was lost with its process. */
const LOST_MS = 300_000
/** ms between two looks for such. */
const EVERY_MS = 60_000

export interface LostCallsOptions {
  database: Database
  /** CALL_MAX_SECONDS, ms. */
  callMaxMs: number
  log: Logger
}

/** Ends what a killed process left as if it lived, on whatever node that was: at the start and each minute. */
export function endLost({ database, callMaxMs, log }: LostCallsOptions) {
  let working: Promise<void> | undefined
  const look = async () => {
    try {
      const calls = await endLostCalls(database, callMaxMs + LOST_MS)
      if (calls > 0) log.warn({ calls }, 'lost calls were ended')
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'lost calls could not be looked for')
    }
  }
  const begin = () => {
    working ??= look().finally(() => {
      working = undefined
    })
  }
  begin()
  const timer = setInterval(begin, EVERY_MS)
  return {
    async stop() {
      clearInterval(timer)
      await working
    },
  }
}
