import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { isDatabaseAway } from '../platform/postgres/index.ts'
import { delay, withTimeout } from '../platform/time.ts'

/** ms between two retries while the database is away. */
const RETRY_MS = 1000
/** Maximum number of waiting entries; beyond it the oldest are dropped and counted. */
const MAX_WAITING = 10_000
/** ms that closing waits for the entries. */
const CLOSE_MS = 3000

/**
 * Runs work that no caller waits for, one entry after another, and retries each second while the database is away. Any
 * other error is logged and the entry dropped.
 */
export function createOutbox({ log }: { log: Logger }) {
  const waiting: { facts: object; run: () => Promise<void> }[] = []
  const ending = new AbortController()
  let working: Promise<void> | undefined
  let lost = 0

  const work = async () => {
    let away = false
    while (waiting.length > 0) {
      const [one] = waiting
      try {
        await one!.run()
        if (away) log.info({ waiting: waiting.length, lost }, 'sending events again')
        away = false
      } catch (error) {
        const { code } = asPorteiroError(error)
        if (isDatabaseAway(error) && !ending.signal.aborted) {
          if (!away)
            log.warn({ ...one!.facts, code, reason: reasonOf(error) }, 'events wait for the database')
          away = true
          await delay(RETRY_MS, ending.signal)
          continue
        }
        log.error({ ...one!.facts, code, reason: reasonOf(error) }, 'cannot send an event')
      }
      if (waiting[0] === one) waiting.shift()
    }
  }

  const start = () => {
    working ??= work().finally(() => {
      working = undefined
      // an entry may have been added while it ended
      if (waiting.length > 0) start()
    })
  }

  return {
    /** `facts` are for the log. */
    add(facts: object, run: () => Promise<void>): void {
      waiting.push({ facts, run })
      if (waiting.length > MAX_WAITING) {
        waiting.shift()
        lost++
      }
      start()
    },
    /** Resolves when no entry waits. */
    async settled(): Promise<void> {
      while (working) await working
    },
    counts: () => ({ waiting: waiting.length, lost }),
    async close(): Promise<void> {
      ending.abort()
      await withTimeout(CLOSE_MS, this.settled())
      if (waiting.length > 0) log.error({ events: waiting.length }, 'closing with unsent events')
      waiting.length = 0
    },
  }
}
