import { asPorteiroError, reasonOf } from './errors.ts'
import type { Logger } from './log.ts'
import { isDatabaseAway } from './postgres/index.ts'
import { delay } from './time.ts'

/** Delay before work is tried again while the database is unreachable, in ms. */
const RETRY_MS = 250

/** Repeats `work` while the database is away and the signal is not aborted. Any other error is thrown. */
export async function retryUntilUp<T>(
  work: () => Promise<T>,
  { what, log, signal }: { what: string; log: Logger; signal: AbortSignal },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isDatabaseAway(error) || signal.aborted) throw error
      const { code } = asPorteiroError(error)
      if (attempt === 1) log.warn({ code, reason: reasonOf(error) }, `${what} wait for the database`)
      await delay(RETRY_MS, signal)
    }
  }
}
