import type { MediaPort } from '../../mediaport/index.ts'
import { createBatcher } from '../../platform/batch.ts'
import { asPorteiroError, reasonOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { withTimeout } from '../../platform/time.ts'
import type { LiveCall } from '../call.ts'
import {
  type Before,
  type CallSnapshot,
  claimCalls,
  type Elsewhere,
  LATE_SEQ,
  locateCall,
  type Recall,
} from '../sql/snapshots.ts'

/** ms that a visitor may wait in silence for the database, and for the disk, while their call is looked up. */
const RECALL_MS = 1000
/** Visitors looked up in one query: after a restart all of them come within a second. */
const AT_ONCE = 100
/** First journal number of a call that may have a journal already: above that journal, and below events noted after the end. */
const UNSURE_SEQ = LATE_SEQ / 10

/** The snapshot of a call that this process has claimed, with the names of the recordings that can be played. */
export interface RestoredVisit {
  call: CallSnapshot
  before: Before
  recordings: string[]
}

/** What a UUID on the visitor port stands for; `seq` is the journal's next number. */
export type Arrival =
  | { is: 'new'; seq: number }
  | { is: 'restored'; seq: number; visit: RestoredVisit }
  | { is: 'ended' }
  | Elsewhere

interface SnapshotsOptions {
  database: Database
  /** Id of this process. */
  instance: string
  /** Version of this process's machines. */
  machines: string
  media: Pick<MediaPort, 'finishRecordings' | 'loadRecordings' | 'forgetCall'>
  /** The database did not answer the last time, so a query would only cost time. */
  isAway: () => boolean
  log: Logger
}

export type Snapshots = ReturnType<typeof createSnapshots>

/** Snapshots let calls outlive their process: taken while the call lives, restored when its visitor connects again. */
export function createSnapshots(options: SnapshotsOptions) {
  const { database, instance, machines, media, isAway, log } = options

  const recalls = createBatcher<string, Recall>({
    run: (ids) => claimCalls(database, { ids, instance }),
    max: AT_ONCE,
    splitsAfter: () => false,
  })

  /** The database's answer, or undefined when it is late: an absent database must not stop a visitor. */
  const inTime = async <T>(callId: string, question: Promise<T>): Promise<T | undefined> => {
    const answer = await withTimeout(
      RECALL_MS,
      question.catch((error) => {
        const { code } = asPorteiroError(error)
        log.warn({ call_id: callId, code, reason: reasonOf(error) }, 'a snapshot could not be looked up')
        return undefined
      }),
    )
    return answer
  }

  const recordingsOf = async ({ callId, facts }: CallSnapshot): Promise<string[]> => {
    const loaded = await withTimeout(RECALL_MS, media.loadRecordings(callId, facts.recordings))
    // what is loaded late belongs to no call
    if (!loaded) media.forgetCall(callId)
    return loaded ?? []
  }

  return {
    /** Never rejects; a call that is not found in time counts as new. */
    async recall(callId: string): Promise<Arrival> {
      const found = isAway() ? undefined : await inTime(callId, recalls.add(callId))
      if (!found) return { is: 'new', seq: UNSURE_SEQ }
      if (found.is !== 'claimed') return found
      const { call, before, seq } = found
      await withTimeout(RECALL_MS, media.finishRecordings(callId))
      if (call.machines === machines)
        return { is: 'restored', seq, visit: { call, before, recordings: await recordingsOf(call) } }
      log.warn({ call_id: callId }, 'the snapshot of a call is from another version: the call begins anew')
      return { is: 'new', seq }
    },

    /** The other process in which the call lives, if any. Never rejects. */
    async locate(callId: string): Promise<Elsewhere | undefined> {
      if (isAway()) return undefined
      return inTime(callId, locateCall(database, { callId, instance }))
    },

    /**
     * The call as it is now; undefined when it cannot be persisted. Not from within one of its transitions: the snapshot would
     * be the one before it.
     */
    take({ id, tenantId, gate, startedAt, actor, visitor, recordings }: LiveCall): CallSnapshot | undefined {
      try {
        return {
          callId: id,
          tenantId,
          gate: gate ?? null,
          startedAt,
          instance,
          machines,
          snapshot: actor.getPersistedSnapshot(),
          facts: { visitor, recordings: [...recordings] },
        }
      } catch (error) {
        log.error({ call_id: id, code: 'BUG', err: error }, 'no snapshot of a call could be taken')
        return undefined
      }
    },
  }
}
