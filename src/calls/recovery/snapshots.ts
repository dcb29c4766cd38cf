import { join } from 'node:path'
import { audioFrame } from '../../audiosocket/index.ts'
import { cutFrames, finishLegRecordings, loadRecording } from '../../media/index.ts'
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

/** ms that a visitor may wait in silence for the database, and for the disk, until it is known which call it is. */
const RECALL_MS = 1000
/** Visitors that are looked up at once; after a restart all of them come within a second. */
const AT_ONCE = 100
/** Where the journal begins of a call that may have one already: behind that, and before what is noted after a call's end. */
const UNSURE_SEQ = LATE_SEQ / 10

/** A kept call that is this process's now, with what the visitor had recorded. */
export interface RestoredVisit {
  call: CallSnapshot
  before: Before
  recordings: Map<string, readonly Buffer[]>
}

/** What a UUID on the visitor port stands for; its journal goes on at `seq`. */
export type Arrival =
  | { is: 'new'; seq: number }
  | { is: 'kept'; seq: number; visit: RestoredVisit }
  | { is: 'ended' }
  | Elsewhere

interface SnapshotsOptions {
  database: Database
  /** Of this process. */
  instance: string
  /** Of the machines of this process. */
  machines: string
  /** Where recordings of the calls are kept. */
  recordings: string
  /** The database did not answer the last time, so that asking it would only take time. */
  isAway: () => boolean
  log: Logger
}

export type Snapshots = ReturnType<typeof createSnapshots>

/** How calls outlive their process: what is written of them, and what is found when a visitor connects again. */
export function createSnapshots(options: SnapshotsOptions) {
  const { database, instance, machines, recordings, isAway, log } = options

  const recalls = createBatcher<string, Recall>({
    run: (ids) => claimCalls(database, { ids, instance }),
    max: AT_ONCE,
    splitsAfter: () => false,
  })

  /** What the database says in time, or undefined; an absent one stops nobody at the gate. */
  const inTime = async <T>(callId: string, question: Promise<T>): Promise<T | undefined> => {
    const answer = await withTimeout(
      RECALL_MS,
      question.catch((error) => {
        const { code } = asPorteiroError(error)
        log.warn({ call_id: callId, code, reason: reasonOf(error) }, 'kept calls could not be looked for')
        return undefined
      }),
    )
    return answer
  }

  const soundsOf = async ({ callId, facts }: CallSnapshot): Promise<RestoredVisit['recordings']> => {
    const sounds = new Map<string, readonly Buffer[]>()
    for (const name of facts.recordings) {
      try {
        const pcm = await loadRecording(recordings, callId, name)
        if (pcm) sounds.set(name, cutFrames(pcm, audioFrame))
      } catch (error) {
        log.warn({ call_id: callId, reason: reasonOf(error) }, 'a recording of a kept call cannot be played')
      }
    }
    return sounds
  }

  const mend = (callId: string) =>
    finishLegRecordings(join(recordings, callId)).catch((error) =>
      log.warn({ call_id: callId, reason: reasonOf(error) }, 'a recording of a kept call stays unfinished'),
    )

  return {
    /** Never rejects; what is not known in time is taken for new. */
    async recall(callId: string): Promise<Arrival> {
      const found = isAway() ? undefined : await inTime(callId, recalls.add(callId))
      if (!found) return { is: 'new', seq: UNSURE_SEQ }
      if (found.is !== 'kept') return found
      const { call, before, seq } = found
      await withTimeout(RECALL_MS, mend(callId))
      if (call.machines === machines)
        return {
          is: 'kept',
          seq,
          visit: { call, before, recordings: (await withTimeout(RECALL_MS, soundsOf(call))) ?? new Map() },
        }
      log.warn({ call_id: callId }, 'a call that was kept by another version begins anew')
      return { is: 'new', seq }
    },

    /** Where the call lives, if it is in another process. Never rejects. */
    async locate(callId: string): Promise<Elsewhere | undefined> {
      if (isAway()) return undefined
      return inTime(callId, locateCall(database, { callId, instance }))
    },

    /**
     * The call as it is now; undefined where that cannot be kept. Not from within one of its transitions: it would be kept as it
     * was before.
     */
    keep({
      id,
      tenantId,
      gate,
      startedAt,
      actor,
      visitor,
      recordings: sounds,
    }: LiveCall): CallSnapshot | undefined {
      try {
        return {
          callId: id,
          tenantId,
          gate: gate ?? null,
          startedAt,
          instance,
          machines,
          snapshot: actor.getPersistedSnapshot(),
          facts: { visitor, recordings: [...sounds.keys()] },
        }
      } catch (error) {
        log.error({ call_id: id, code: 'BUG', err: error }, 'a call could not be kept')
        return undefined
      }
    },
  }
}
