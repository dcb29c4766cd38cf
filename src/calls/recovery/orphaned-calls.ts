import { join } from 'node:path'
import { LEASE_SECONDS } from '../../cluster/index.ts'
import { finishLegRecordings } from '../../media/index.ts'
import { reasonOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import { type Database, isDatabaseAway } from '../../platform/postgres/index.ts'
import { delay, withTimeout } from '../../platform/time.ts'
import type { Journal } from '../journal.ts'
import { type EventRow, writeBatch } from '../sql/calls.ts'
import { endOrphanedRows, type OrphanedCall } from '../sql/orphaned-calls.ts'
import type { WrittenQuestions } from '../written-questions.ts'
import type { CallFiles } from './call-files.ts'

/** ms after the maximum length of a call at which a call without an end counts as orphaned. */
const ORPHANED_MS = 300_000
/** ms between two polls for orphaned calls. */
const EVERY_MS = 5000
/** Maximum ms to finish recordings on the disk. */
const MEND_MS = 1000

interface OrphanedCallsOptions {
  database: Database
  files: Pick<CallFiles, 'ends' | 'remove'>
  journal: Pick<Journal, 'event'>
  asking: Pick<WrittenQuestions, 'close'>
  /** Where recordings of the calls are kept. */
  recordings: string
  /** CALL_MAX_SECONDS, ms. */
  callMaxMs: number
  /** REATTACH_SECONDS. */
  reattachSeconds: number
  /** Ids of the calls that live in this process. */
  living: () => string[]
  log: Logger
}

/**
 * Ends calls of any node whose process was killed and whose visitor did not come back, and notes their last events. The first
 * poll is REATTACH_SECONDS after the start: until then the visitors of a service that was down may come back.
 */
export function endOrphanedCalls(options: OrphanedCallsOptions) {
  const { database, files, journal, asking, recordings, callMaxMs, reattachSeconds, living, log } = options
  const ending = new AbortController()

  const mend = (callId: string) =>
    finishLegRecordings(join(recordings, callId)).catch((error) =>
      log.warn(
        { call_id: callId, reason: reasonOf(error) },
        'a recording of an orphaned call stays unfinished',
      ),
    )

  const eventsOf = ({
    id,
    tenantId: tenant,
    gate,
    unit,
    beginning,
    decision,
    outcome,
    reason,
    seq,
  }: OrphanedCall) => {
    const place = { tenant, gate, unit, ...(beginning !== null && { beginning }) }
    const now = new Date()
    const event = (after: number, kind: string, at: Date, data: object): EventRow => ({
      ...{ callId: id, seq: seq + after, at, kind, leg: null, data },
    })
    return [
      event(0, 'lost', now, {}),
      // may be a duplicate: consumers deduplicate decisions by call id
      ...(decision
        ? [
            event(1, 'decided', new Date(decision.at), {
              ...place,
              ...{ verdict: decision.verdict, by: decision.by, via: decision.via },
            }),
          ]
        : []),
      event(2, 'ended', now, { ...place, outcome, reason, durations: null }),
    ]
  }

  const end = (call: OrphanedCall, events: readonly EventRow[]) => {
    const { id, tenantId: tenant, outcome } = call
    log.warn({ call_id: id, tenant, outcome }, 'an orphaned call was ended: its visitor did not come back')
    // they are in the database: the journal tells its subscribers
    for (const event of events) journal.event(event)
    asking.close(id)
  }

  /** Calls that ended while the database was away or slow, and whose process was killed then. */
  const bringEnds = async () => {
    for (const { instance, call, event } of await files.ends()) {
      const facts = { call_id: call.id, tenant: call.tenantId }
      try {
        await database.transaction((transaction) =>
          writeBatch(transaction, { calls: [call], events: [event], instance }),
        )
        log.warn(facts, 'the end of a call that only the disk had is in the database')
        journal.event(event)
      } catch (error) {
        if (isDatabaseAway(error)) throw error
        // it would hold up the others for ever
        log.error({ ...facts, reason: reasonOf(error) }, 'the database refused the end of a call')
      }
      files.remove(call.id)
    }
  }

  const poll = async () => {
    try {
      await bringEnds()
      const events = new Map<string, EventRow[]>()
      const orphaned = await endOrphanedRows(database, {
        longestMs: callMaxMs + ORPHANED_MS,
        reattachSeconds,
        living: living(),
        eventsOf(call) {
          const those = eventsOf(call)
          events.set(call.id, those)
          return those
        },
      })
      for (const call of orphaned) end(call, events.get(call.id)!)
      // last: events matter more than recordings
      await withTimeout(MEND_MS, Promise.all(orphaned.map(({ id }) => mend(id))))
      return true
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'orphaned calls could not be looked up')
      return false
    }
  }

  const work = async () => {
    await delay(reattachSeconds * 1000, ending.signal)
    while (!ending.signal.aborted) {
      // no process could send a heartbeat while the database was away
      const ms = (await poll()) ? EVERY_MS : 1000 * Math.max(reattachSeconds, LEASE_SECONDS)
      await delay(ms, ending.signal)
    }
  }
  const working = work()

  return {
    async stop() {
      ending.abort()
      await working
    },
  }
}
