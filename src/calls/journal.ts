import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'
import type { CallRow, EventRow } from './sql/calls.ts'
import type { CallSnapshot } from './sql/snapshots.ts'

/** ms that a row waits for others to form a batch. */
const BATCH_MS = 100
/** Number of events that are written without waiting for more. */
const BATCH_ROWS = 500
/** Events buffered while the database is away; beyond it the oldest are dropped and counted. About 20 minutes of 500 busy calls. */
const KEPT_ROWS = 100_000
/** Rows beyond KEPT_ROWS that are dropped together. */
const TRIM_ROWS = 100
/** Delay before a batch is written again while the database is away, in ms. */
const RETRY_MS = 1000
/** Maximum ms to write the last batch on close. */
const CLOSE_MS = 5000

export type Batch = { calls: CallRow[]; events: EventRow[]; snapshots: CallSnapshot[] }

/** The snapshot of a call at this moment; undefined when the call is over or cannot be persisted. Never throws. */
type TakeSnapshot = () => CallSnapshot | undefined

interface JournalOptions {
  write: (batch: Batch) => Promise<void>
  log: Logger
}

export interface Journal {
  /** Replaces a row of the same call that still waits. */
  call(row: CallRow): void
  event(row: EventRow): void
  /** Writes a snapshot of the call with the next batch, taken at that moment: it matches the events written up to then. */
  snapshot(callId: string, take: TakeSnapshot): void
  /** Called with each event as it happens, before it is written. Returns the function that unsubscribes. */
  subscribe(listener: (event: EventRow) => void): () => void
  /** Resolves when everything noted so far is written or dropped; writes it at once. */
  flush(): Promise<void>
  /** Resolves when everything noted so far is written, with the batch whose turn it is. */
  written(): Promise<void>
  /** Waiting events, and events dropped because the database was away too long. */
  counts(): { waiting: number; lost: number }
  /** Whether the last batch could not be written. */
  isAway(): boolean
  close(): Promise<void>
}

/**
 * Writes the events of the calls in batches. A note never waits: a slow or absent database fills the bounded buffer and does
 * not delay a call.
 */
export function createJournal({ write, log }: JournalOptions): Journal {
  const calls = new Map<string, CallRow>()
  const snapshots = new Map<string, TakeSnapshot>()
  let events: EventRow[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  let inFlight = 0
  let lost = 0
  let away = false
  let closed = false
  /** Those who wait for what was noted before. */
  let waiting: (() => void)[] = []
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
      if (calls.size > 0 || events.length > 0 || snapshots.size > 0) noted()
    })
    return writing
  }

  const writeAll = async () => {
    // the row may come from a transition that is not finished: its snapshot would be the one before
    await Promise.resolve()
    // while the database is away, do not take every snapshot again for each failed write
    const due = away ? [...snapshots].slice(0, 1) : [...snapshots]
    const taken = due.flatMap(([callId, take]) => {
      snapshots.delete(callId)
      const call = take()
      return call ? [{ call, take }] : []
    })
    const batch: Batch = { calls: [...calls.values()], events, snapshots: taken.map(({ call }) => call) }
    if (batch.calls.length === 0 && batch.events.length === 0 && batch.snapshots.length === 0) return
    calls.clear()
    events = []
    const waited = waiting
    waiting = []
    inFlight = batch.events.length
    try {
      await write(batch)
      if (away) log.info({ events: batch.events.length, lost }, 'the journal is being written again')
      away = false
      for (const resolve of waited) resolve()
    } catch (error) {
      if (!away)
        log.error(
          { code: asPorteiroError(error).code, reason: reasonOf(error) },
          'the journal waits for the database',
        )
      away = true
      waiting = [...waited, ...waiting]
      // do not replace a newer row of the same call
      for (const row of batch.calls) if (!calls.has(row.id)) calls.set(row.id, row)
      for (const { call, take } of taken) if (!snapshots.has(call.callId)) snapshots.set(call.callId, take)
      events = [...batch.events, ...events]
      inFlight = 0
      trim()
    } finally {
      inFlight = 0
    }
  }

  /** Drops the oldest events, a hundred at a time because each trim moves the rest. */
  const trim = () => {
    const surplus = events.length + inFlight - KEPT_ROWS
    if (surplus <= TRIM_ROWS) return
    lost += events.splice(0, surplus).length
  }

  return {
    call(row) {
      calls.set(row.id, row)
      if (row.endedAt !== null) snapshots.delete(row.id)
      noted()
    },
    event(row) {
      events.push(row)
      trim()
      for (const listener of listeners) listener(row)
      noted()
    },
    snapshot(callId, take) {
      snapshots.set(callId, take)
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
    written: () => new Promise((resolve) => waiting.push(resolve)),
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
