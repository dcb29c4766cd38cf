import { asPorteiroError, reasonOf } from './errors.ts'
import type { Logger } from './log.ts'
import { passed } from './time.ts'

/** ms before a database that is away is asked again. */
const RETRY_MS = 250

/** Repeats `work` for as long as the database is away and nobody gave up. Any other error is the caller's. */
export async function insist<T>(
  work: () => Promise<T>,
  { what, log, signal }: { what: string; log: Logger; signal: AbortSignal },
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      const { code } = asPorteiroError(error)
      if (code !== 'DATABASE_UNREACHABLE' || signal.aborted) throw error
      if (tries === 1) log.warn({ code, reason: reasonOf(error) }, `${what} wait for the database`)
      await passed(RETRY_MS, signal)
    }
  }
}
