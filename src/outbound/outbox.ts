import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { delay, withTimeout } from '../platform/time.ts'

/** ms between two looks whether the database is back. */
const RETRY_MS = 1000
/** Kept while it is away; beyond it the oldest go, counted. */
const KEPT = 10_000
/** ms that closing waits for what is on its way. */
const CLOSE_MS = 3000

/**
 * Work that nobody waits for, one after another, and again each second while the database is away. What fails otherwise is
 * said in the log and left.
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
        if (away) log.info({ waiting: waiting.length, lost }, 'events go out again')
        away = false
      } catch (error) {
        const { code } = asPorteiroError(error)
        if (code === 'DATABASE_UNREACHABLE' && !ending.signal.aborted) {
          if (!away)
            log.warn({ ...one!.facts, code, reason: reasonOf(error) }, 'events wait for the database')
          away = true
          await delay(RETRY_MS, ending.signal)
          continue
        }
        log.error({ ...one!.facts, code, reason: reasonOf(error) }, 'an event did not go out')
      }
      if (waiting[0] === one) waiting.shift()
    }
  }

  const start = () => {
    working ??= work().finally(() => {
      working = undefined
      // something may have come while it ended
      if (waiting.length > 0) start()
    })
  }

  return {
    /** `facts` are the log's. */
    add(facts: object, run: () => Promise<void>): void {
      waiting.push({ facts, run })
      if (waiting.length > KEPT) {
        waiting.shift()
        lost++
      }
      start()
    },
    /** Resolves when nothing waits. */
    async settled(): Promise<void> {
      while (working) await working
    },
    counts: () => ({ waiting: waiting.length, lost }),
    async close(): Promise<void> {
      ending.abort()
      await withTimeout(CLOSE_MS, this.settled())
      if (waiting.length > 0) log.error({ events: waiting.length }, 'events did not go out')
      waiting.length = 0
    },
  }
}
