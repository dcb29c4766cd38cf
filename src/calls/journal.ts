import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'
import type { CallRow, EventRow } from './sql/calls.ts'
import type { CallSnapshot } from './sql/snapshots.ts'

/** ms that a row may wait for company. */
const BATCH_MS = 100
/** Events that end the waiting early. */
const BATCH_ROWS = 500
/** Events kept while the database is away; beyond it the oldest go, counted. About 20 minutes of 500 busy calls. */
const KEPT_ROWS = 100_000
/** Rows beyond KEPT_ROWS before they are dropped at once. */
const TRIM_ROWS = 100
/** ms between two tries while the database is away. */
const RETRY_MS = 1000
/** ms that closing waits for the last batch. */
const CLOSE_MS = 5000

export type Batch = { calls: CallRow[]; events: EventRow[]; kept: CallSnapshot[] }

/** A call as it is at this moment; undefined where it is over, or cannot be kept. Never throws. */
type Keep = () => CallSnapshot | undefined

interface JournalOptions {
  write: (batch: Batch) => Promise<void>
  log: Logger
}

export interface Journal {
  /** The latest of a call's rows replaces the others that wait. */
  call(row: CallRow): void
  event(row: EventRow): void
  /** The call is kept as it will be when the next batch is made: with exactly those events that are written before or beside it. */
  keep(callId: string, take: Keep): void
  /** Hears of each event as it happens, before it is written. Returns its end. */
  subscribe(listener: (event: EventRow) => void): () => void
  /** Resolves when all that was noted so far is written, or was given up. */
  flush(): Promise<void>
  /** Events that wait, and events lost because the database was away too long. */
  counts(): { waiting: number; lost: number }
  /** The last batch could not be written. */
  isAway(): boolean
  close(): Promise<void>
}

/**
 * What happened in the calls, written in batches. Noting never waits: a slow or absent database fills the buffer, which is
 * bounded, and never delays a call.
 */
export function createJournal({ write, log }: JournalOptions): Journal {
  const calls = new Map<string, CallRow>()
  const kept = new Map<string, Keep>()
  let events: EventRow[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  let inFlight = 0
  let lost = 0
  let away = false
  let closed = false
  const listeners = new Set<(event: EventRow) => void>()

  const schedule = (ms: number) => {
    timer ??= setTimeout(() => {
      timer = undefined
      void drain()
    }, ms)
  }

  const noted = () => {
    if (writing || closed) return
    if (events.length >= BATCH_ROWS && !away) void drain()
    else schedule(away ? RETRY_MS : BATCH_MS)
  }

  const drain = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    writing ??= writeAll().finally(() => {
      writing = undefined
      if (calls.size > 0 || events.length > 0 || kept.size > 0) noted()
    })
    return writing
  }

  const writeAll = async () => {
    // a row may have come from within a transition of the call that is to be kept
    await Promise.resolve()
    // while the database is away each snapshot would be made in vain, again and again
    const due = away ? [...kept].slice(0, 1) : [...kept]
    const taken = due.flatMap(([callId, take]) => {
      kept.delete(callId)
      const call = take()
      return call ? [{ call, take }] : []
    })
    const batch: Batch = { calls: [...calls.values()], events, kept: taken.map(({ call }) => call) }
    if (batch.calls.length === 0 && batch.events.length === 0 && batch.kept.length === 0) return
    calls.clear()
    events = []
    inFlight = batch.events.length
    try {
      await write(batch)
      if (away) log.info({ events: batch.events.length, lost }, 'the journal is written again')
      away = false
    } catch (error) {
      if (!away)
        log.error(
          { code: asPorteiroError(error).code, reason: reasonOf(error) },
          'the journal waits for the database',
        )
      away = true
      // a newer row of the same call has come meanwhile
      for (const row of batch.calls) if (!calls.has(row.id)) calls.set(row.id, row)
      for (const { call, take } of taken) if (!kept.has(call.callId)) kept.set(call.callId, take)
      events = [...batch.events, ...events]
      inFlight = 0
      trim()
    } finally {
      inFlight = 0
    }
  }

  /** The oldest go first; trimmed by the hundred, because each trim moves the rest. */
  const trim = () => {
    const surplus = events.length + inFlight - KEPT_ROWS
    if (surplus <= TRIM_ROWS) return
    lost += events.splice(0, surplus).length
  }

  return {
    call(row) {
      calls.set(row.id, row)
      if (row.endedAt !== null) kept.delete(row.id)
      noted()
    },
    event(row) {
      events.push(row)
      trim()
      for (const listener of listeners) listener(row)
      noted()
    },
    keep(callId, take) {
      kept.set(callId, take)
      noted()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async flush() {
      await writing
      await drain()
    },
    isAway: () => away,
    counts: () => ({ waiting: events.length + inFlight, lost }),
    async close() {
      closed = true
      clearTimeout(timer)
      timer = undefined
      await withTimeout(CLOSE_MS, Promise.resolve(writing).then(writeAll))
      const left = events.length + inFlight
      if (left > 0) log.error({ events: left }, 'events of the journal were not written')
    },
  }
}
