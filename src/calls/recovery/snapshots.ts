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
  type LocatedCall,
  locateCall,
  type Recall,
} from '../sql/snapshots.ts'

/** Maximum ms of the database query, and of the disk, while a call is looked up: the visitor hears nothing meanwhile. */
const RECALL_MS = 1000
/** Visitors looked up in one query: after a restart all come within a second. */
const AT_ONCE = 100
/** First journal number of a call that may have a journal: above that journal, and below events after the end. */
const UNSURE_SEQ = LATE_SEQ / 10

/** The snapshot of a call that this process has claimed, with the names of the recordings that can be played. */
export interface RestoredVisit {
  call: CallSnapshot
  before: Before
  recordings: string[]
}

/** The call of a UUID on the visitor port; `seq` is the journal's next number. */
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
  /** Whether the database is away; a query would then only cost time. */
  isAway: () => boolean
  log: Logger
}

export type Snapshots = ReturnType<typeof createSnapshots>

/** Snapshots let calls outlive their process. They are taken during the call and restored when its visitor connects again. */
export function createSnapshots(options: SnapshotsOptions) {
  const { database, instance, machines, media, isAway, log } = options

  const recalls = createBatcher<string, Recall>({
    run: (ids) => claimCalls(database, { ids, instance }),
    max: AT_ONCE,
    splitsAfter: () => false,
  })

  /** The answer of the database, or undefined if it is late: an absent database must not block a visitor. */
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
    // a late load must not add recordings to the call
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

    /** The other process in which the call lives, if any, by the UUID of a resident's leg. Never rejects. */
    async locate(uuid: string): Promise<LocatedCall | undefined> {
      if (isAway()) return undefined
      return inTime(uuid, locateCall(database, { uuid, instance }))
    },

    /**
     * The call as it is now; undefined if it cannot be persisted. Do not call it during a transition of the call: it would
     * take the state before.
     */
    take({
      id,
      tenantId,
      entrance,
      startedAt,
      actor,
      visitor,
      wanted,
      telephones,
      recordings,
    }: LiveCall): CallSnapshot | undefined {
      try {
        return {
          callId: id,
          tenantId,
          gate: entrance ?? null,
          startedAt,
          instance,
          machines,
          snapshot: actor.getPersistedSnapshot(),
          facts: {
            visitor,
            wanted,
            legs: Object.fromEntries([...telephones].map(([attemptId, { legId }]) => [attemptId, legId])),
            recordings: [...recordings],
          },
        }
      } catch (error) {
        log.error({ call_id: id, code: 'BUG', err: error }, 'no snapshot of a call could be taken')
        return undefined
      }
    },
  }
}
