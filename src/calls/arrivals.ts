import type { ArrivedLeg, MediaPort } from '../mediaport/index.ts'
import type { Role } from '../platform/audio.ts'
import type { Logger } from '../platform/log.ts'
import { delay } from '../platform/time.ts'
import type { LiveCall } from './call.ts'
import type { EndedCalls } from './ended.ts'
import type { Arrival, RestoredVisit, Snapshots } from './recovery/snapshots.ts'
import type { Elsewhere } from './sql/snapshots.ts'

/** ms between two checks whether a process is still alive. */
const AGAIN_MS = 1000

/** How a call begins here: the journal's next number, and the snapshot of a restored call. */
export interface Beginning {
  seq: number
  restored?: RestoredVisit
}

interface ArrivalsOptions {
  find: (callId: string) => (LiveCall & { readonly releasing: boolean }) | undefined
  /** Live calls. */
  count: () => number
  maxCalls: number
  ended: EndedCalls
  snapshots: Pick<Snapshots, 'recall' | 'locate'> | undefined
  /** Whether no new calls are taken. */
  isDraining: () => boolean
  /** Aborted when no more connections are taken. */
  closing: AbortSignal
  begin: (arrived: ArrivedLeg, beginning: Beginning) => void
  join: (call: LiveCall, arrived: ArrivedLeg) => void
  media: Pick<MediaPort, 'reject' | 'relay'>
  /** Called when a waiting visitor was taken or rejected. */
  onSettled: () => void
  log: Logger
}

/** Decides about each connection: a new call, a restored one, a leg of a call that lives here or elsewhere, or a rejection. */
export function createArrivals(options: ArrivalsOptions) {
  const { find, count, maxCalls, ended, snapshots, isDraining, closing, begin, log } = options
  const { media, onSettled } = options
  /** Visitors whose call is still being looked up. */
  const waiting = new Set<string>()

  const factsOf = (arrived: ArrivedLeg, leg: Role) => ({
    call_id: arrived.callId,
    leg,
    remote: arrived.remote,
  })

  const refuseEnded = (arrived: ArrivedLeg) => {
    log.info(
      { ...factsOf(arrived, 'visitor'), code: 'CALL_ENDED' },
      'an ended call connected again and was hung up',
    )
    media.reject(arrived.leg)
  }

  const refuseSecond = (arrived: ArrivedLeg, facts: object = {}) => {
    log.warn(
      { ...factsOf(arrived, 'visitor'), code: 'CALL_DUPLICATE', ...facts },
      'a second visitor leg was hung up',
    )
    media.reject(arrived.leg)
  }

  /**
   * Looks the visitor's UUID up. If its process seems alive, asks again until that process has sent a heartbeat or its lease
   * is over: Asterisk connects again because that process does not answer, and a rejected visitor does not come back.
   */
  const recall = async ({ callId: id }: ArrivedLeg) => {
    const first = await snapshots!.recall(id)
    let arrival = first
    while (first.is === 'elsewhere' && isSilentSince(first, arrival) && !closing.aborted) {
      await delay(AGAIN_MS, closing)
      arrival = await snapshots!.recall(id)
    }
    return arrival
  }

  /** Looks the visitor's call up, then begins, restores or rejects it. */
  const receive = async (arrived: ArrivedLeg) => {
    const arrival = await recall(arrived)
    waiting.delete(arrived.callId)
    if (closing.aborted) return media.reject(arrived.leg)
    if (arrival.is === 'restored') return begin(arrived, { seq: arrival.seq, restored: arrival.visit })
    if (arrival.is === 'ended') {
      ended.add(arrived.callId)
      return refuseEnded(arrived)
    }
    if (arrival.is === 'elsewhere') return refuseSecond(arrived, { node: arrival.nodeId })
    if (isDraining()) return media.reject(arrived.leg, 'service-closing')
    begin(arrived, { seq: arrival.seq })
  }

  /** A resident's leg whose call is not here. */
  const seek = async (arrived: ArrivedLeg, rejectLate: () => void) => {
    const found = await snapshots!.locate(arrived.callId)
    const address = found?.addresses.resident
    if (closing.aborted) return media.reject(arrived.leg)
    // the visitor may have come back meanwhile
    if (find(arrived.callId)) return join(arrived)
    if (address !== undefined) return media.relay(arrived.leg, address)
    rejectLate()
  }

  /** A connection on the resident port joins the call of its UUID. */
  const join = (arrived: ArrivedLeg): void => {
    const { callId: id } = arrived
    const facts = factsOf(arrived, 'resident')
    const call = find(id)
    const rejectLate = () => {
      const code = call || ended.has(id) ? 'CALL_ENDED' : 'CALL_UNKNOWN'
      call?.note('leg.late', 'resident', {})
      log.info({ ...facts, code }, 'a resident leg came for no call')
      media.reject(arrived.leg, 'visit-over')
    }
    // a relayed leg is not relayed again
    if (!call && snapshots && !ended.has(id) && !arrived.relayed) {
      void seek(arrived, rejectLate).catch((error) => {
        log.error({ ...facts, code: 'BUG', err: error }, 'a leg could not be taken')
        media.reject(arrived.leg)
      })
    } else if (!call || call.releasing || call.actor.getSnapshot().matches('concluding')) rejectLate()
    else if (call.legs.has('resident')) {
      log.warn({ ...facts, code: 'CALL_DUPLICATE' }, 'a second resident leg was turned away')
      media.reject(arrived.leg, 'already-answered')
    } else if (!call.actor.getSnapshot().matches({ reaching: 'searching' })) {
      // nobody is called yet, so nobody can have answered
      call.note('leg.unexpected', 'resident', {})
      log.warn({ ...facts, code: 'LEG_UNEXPECTED' }, 'a resident leg came while nobody was called')
      media.reject(arrived.leg, 'not-expected')
    } else options.join(call, arrived)
  }

  return {
    /** A connection on the visitor port starts a call, or goes on with one. */
    attend(arrived: ArrivedLeg) {
      const { callId: id } = arrived
      const facts = factsOf(arrived, 'visitor')
      if (ended.has(id)) return refuseEnded(arrived)
      if (find(id) || waiting.has(id)) return refuseSecond(arrived)
      if (isDraining()) {
        log.info({ ...facts, code: 'SHUTTING_DOWN' }, 'a call was turned away')
        return media.reject(arrived.leg, 'service-closing')
      }
      if (count() + waiting.size >= maxCalls) {
        log.warn({ ...facts, code: 'CALLS_EXHAUSTED', max: maxCalls }, 'a call was turned away')
        return media.reject(arrived.leg, 'lines-busy')
      }
      if (!snapshots) return begin(arrived, { seq: 0 })
      waiting.add(id)
      void receive(arrived)
        .catch((error) => {
          log.error({ ...facts, code: 'BUG', err: error }, 'a call could not begin')
          media.reject(arrived.leg)
        })
        .finally(() => {
          waiting.delete(id)
          onSettled()
        })
    },

    join,

    waiting: () => waiting.size,
  }
}

/** The same process, without a new heartbeat. */
function isSilentSince(first: Elsewhere, now: Arrival): boolean {
  return (
    now.is === 'elsewhere' &&
    now.instance === first.instance &&
    now.seenAt.getTime() === first.seenAt.getTime()
  )
}
