import type { Decision } from '../../../machines/index.ts'
import type { MediaPort } from '../../mediaport/index.ts'
import { createBatcher } from '../../platform/batch.ts'
import { asPorteiroError, reasonOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { delay, withTimeout } from '../../platform/time.ts'
import type { LiveCall } from '../call.ts'
import {
  type Before,
  type CallSnapshot,
  claimCalls,
  type Elsewhere,
  LATE_SEQ,
  type LocatedCall,
  lacksProcess,
  locateCall,
  type Recall,
} from '../sql/snapshots.ts'
import type { CallFiles } from './call-files.ts'
import { migrateSnapshot } from './migrations.ts'

/** ms of failed look-ups after which the database counts as away and a visitor's call begins anew. The visitor is held meanwhile. */
const PATIENCE_MS = 15_000
/** ms for a look-up where no call of another process is possible. */
const GLANCE_MS = 1000
/** ms between two look-ups. */
const AGAIN_MS = 500
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

/**
 * Whether a call begins anew: its UUID was used before by one that cannot go on; `unsure`: nobody can tell. `lost`: it was used, and
 * only the disk of a lost process can tell how far that call had come: somebody may have been asked, and may have answered.
 */
export type Again = 'used' | 'unsure' | 'lost' | false

/** The call of a UUID on the visitor port; `seq` is the journal's next number, `decision` the one in the books. */
export type Arrival =
  | { is: 'new'; seq: number; again: Again; decision: Decision | null }
  | { is: 'restored'; seq: number; decision: Decision | null; visit: RestoredVisit }
  | { is: 'ended' }
  | Elsewhere

interface SnapshotsOptions {
  database: Database
  /** Id of this process. */
  instance: string
  /** Where it runs; processes of one name have one disk. */
  nodeId: string
  /** Version of this process's machines. */
  machines: string
  media: Pick<MediaPort, 'finishRecordings' | 'loadRecordings'>
  /** What this disk knows of calls that the database may not have. */
  files: Pick<CallFiles, 'find'>
  /** The decision about a call that only this disk has, of another process. Never rejects. */
  decisionOnDisk: (callId: string) => Promise<Decision | undefined>
  /** Whether the database is away; a query would then only cost time. */
  isAway: () => boolean
  /** Whether a visitor who connects now may have a call of another process. */
  mayHaveCalls: () => boolean
  /** ms; shorter in tests. */
  patienceMs?: number
  log: Logger
}

export type Snapshots = ReturnType<typeof createSnapshots>

/** Snapshots let calls outlive their process. They are taken during the call and restored when its visitor connects again. */
export function createSnapshots(options: SnapshotsOptions) {
  const { database, instance, nodeId, machines, media, files, decisionOnDisk, isAway, mayHaveCalls, log } =
    options
  const { patienceMs = PATIENCE_MS } = options

  const recalls = createBatcher<string, Recall>({
    run: (ids) => claimCalls(database, { ids, instance }),
    max: AT_ONCE,
    splitsAfter: () => false,
  })

  /**
   * The answer of the database. A look-up that takes long is waited for; one that fails is repeated, so that no timer makes a call
   * unknown. Undefined when the database stays away, or the signal is aborted.
   */
  const repeatLookup = async <T>(callId: string, ask: () => Promise<T>, signal: AbortSignal) => {
    const began = performance.now()
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        return { answer: await ask() }
      } catch (error) {
        const { code } = asPorteiroError(error)
        const facts = { call_id: callId, code, reason: reasonOf(error) }
        if (performance.now() - began > patienceMs) {
          log.warn(facts, 'a call could not be looked up: the database is away')
          return undefined
        }
        if (attempt === 1) log.warn(facts, 'a call could not be looked up yet: its leg is held')
        await delay(AGAIN_MS, signal)
      }
    }
    return undefined
  }

  /** The answer of the database if it comes at once: there is hardly a call that it could name. */
  const tryLookup = async <T>(ask: () => Promise<T>) => {
    if (isAway()) return undefined
    return withTimeout(
      GLANCE_MS,
      ask().then(
        (answer) => ({ answer }),
        () => undefined,
      ),
    )
  }

  /**
   * Of a visitor who was connected before, and whose call neither the database nor this disk knows. Where no other process was lost, that
   * call never began: its visitor heard that all lines are busy, or that the service restarts.
   */
  const unknownAgain = async (): Promise<Again> => {
    if (!mayHaveCalls()) return 'used'
    const lost = await tryLookup(() => lacksProcess(database, nodeId))
    return lost === undefined || lost.answer ? 'lost' : 'used'
  }

  return {
    /**
     * The call of a visitor's UUID. Never rejects; a call counts as new only if the database says so, or stays away, and the disk does
     * not know it. `isAgain`: the dialplan says that the visitor was connected before.
     */
    async recall(callId: string, isAgain: boolean, signal: AbortSignal): Promise<Arrival> {
      // first: what is moved from the disk to the database meanwhile is found there
      const [kept, file] = await Promise.all([decisionOnDisk(callId), files.find(callId)])
      if (file === 'ended') return { is: 'ended' }
      const found = mayHaveCalls()
        ? await repeatLookup(callId, () => recalls.add(callId), signal)
        : await tryLookup(() => recalls.add(callId))
      if (!found) {
        if (!signal.aborted)
          log.warn({ call_id: callId }, 'a call begins without a look-up: the database is away or slow')
        // where no other process takes calls, none can know of it
        const unknown = !isAgain ? 'unsure' : mayHaveCalls() ? 'lost' : 'used'
        const again = file === undefined ? unknown : 'used'
        return { is: 'new', seq: UNSURE_SEQ, again, decision: kept ?? null }
      }
      if (found.answer.is === 'ended' || found.answer.is === 'elsewhere') return found.answer
      const { seq } = found.answer
      const decision = found.answer.decision ?? kept ?? null
      if (found.answer.is === 'new') {
        const isUsed = seq > 0 || file !== undefined
        const again = isUsed ? 'used' : isAgain && (await unknownAgain())
        return { is: 'new', seq, again, decision }
      }
      const { call, before } = found.answer
      await media.finishRecordings(callId)
      const snapshot =
        call.machines === machines ? call.snapshot : migrateSnapshot(call.machines, call.snapshot)
      if (snapshot !== undefined) {
        const recordings = await media.loadRecordings(callId, call.facts.recordings)
        return { is: 'restored', seq, decision, visit: { call: { ...call, snapshot }, before, recordings } }
      }
      log.warn(
        { call_id: callId, machines: call.machines },
        'the snapshot of a call is from another version: the call begins anew',
      )
      return { is: 'new', seq, again: 'used', decision }
    },

    /** The other process in which the call lives, if any, by the UUID of a resident's leg. Never rejects. */
    async locate(uuid: string, signal: AbortSignal): Promise<LocatedCall | undefined> {
      const ask = () => locateCall(database, { uuid, instance })
      return (await (mayHaveCalls() ? repeatLookup(uuid, ask, signal) : tryLookup(ask)))?.answer
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
