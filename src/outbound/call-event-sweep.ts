import { type EventRow, eventsOfKinds, lastEventId } from '../calls/index.ts'
import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { delay } from '../platform/time.ts'
import { moveCallEventCursor } from './sql/call-event-cursor.ts'

/** ms between two sweeps, and so the least age of an event that is swept: its process enqueues its messages at once. */
const SWEEP_MS = 10_000
/** Events of one transaction. */
const MOST = 200

interface SweepOptions {
  database: Database
  /** The kinds of events that lead to messages. */
  kinds: readonly string[]
  /** Enqueues the messages of an event; those that are in the queue already are ignored there. */
  publish: (event: EventRow) => Promise<void>
  log: Logger
  /** ms; shorter in tests. */
  everyMs?: number
}

/**
 * Derives the messages of call events once more from the journal, for processes that were killed before they had enqueued them. The
 * first sweep is at the start, for what the predecessor owes.
 */
export function startCallEventSweep({ database, kinds, publish, log, everyMs = SWEEP_MS }: SweepOptions) {
  const ending = new AbortController()

  /** Up to this id. */
  const sweep = async (last: number): Promise<void> => {
    let more = true
    while (more && !ending.signal.aborted) {
      const has = await moveCallEventCursor(database, async (after, transaction) => {
        const events = await eventsOfKinds(transaction, { kinds, after, upTo: last, limit: MOST })
        await Promise.all(events.map(publish))
        more = events.length === MOST
        const moved = more ? events.at(-1)!.id : last
        return moved > after ? moved : undefined
      })
      if (!has) return
    }
  }

  const work = async () => {
    let last: number | undefined
    while (!ending.signal.aborted) {
      try {
        const present = await lastEventId(database)
        await sweep(last ?? present)
        last = present
      } catch (error) {
        log.debug(
          { code: asPorteiroError(error).code, reason: reasonOf(error) },
          'call events could not be swept',
        )
      }
      await delay(everyMs, ending.signal)
    }
  }
  const working = work()

  return {
    async close() {
      ending.abort()
      await working
    },
  }
}
