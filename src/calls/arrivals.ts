import type { Role } from '../platform/audio.ts'
import type { Logger } from '../platform/log.ts'
import { delay } from '../platform/time.ts'
import type { LiveCall } from './call.ts'
import type { EndedCalls } from './ended.ts'
import type { LegConnection } from './leg.ts'
import type { Arrival, RestoredVisit, Snapshots } from './recovery/snapshots.ts'
import type { Elsewhere } from './sql/snapshots.ts'

/** ms between two checks whether a process that seems alive is. */
const AGAIN_MS = 1000

/** How a call begins here: the journal's next number, and the state of a restored call. */
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
  /** Takes no new calls. */
  isDraining: () => boolean
  /** Aborted when no more connections are taken. */
  closing: AbortSignal
  begin: (connection: LegConnection, beginning: Beginning) => void
  join: (call: LiveCall, connection: LegConnection) => void
  /** Relays a resident's leg to another node; `address` is that node's port for residents. */
  relay: (connection: LegConnection, address: string) => void
  rejectWithPrompt: (connection: LegConnection, prompt: string) => void
  reject: (connection: LegConnection) => void
  /** A waiting visitor was taken or rejected. */
  onSettled: () => void
  log: Logger
}

/** Decides about each connection: a new call, a restored one, a leg of a call that lives here or elsewhere, or a rejection. */
export function createArrivals(options: ArrivalsOptions) {
  const { find, count, maxCalls, ended, snapshots, isDraining, closing, begin, log } = options
  const { relay, rejectWithPrompt, reject, onSettled } = options
  /** Visitors whose call is still being looked up. */
  const waiting = new Set<string>()

  const factsOf = (connection: LegConnection, leg: Role) => ({
    call_id: connection.id,
    leg,
    remote: connection.remote,
  })

  const refuseEnded = (connection: LegConnection) => {
    log.info(
      { ...factsOf(connection, 'visitor'), code: 'CALL_ENDED' },
      'an ended call connected again and was hung up',
    )
    reject(connection)
  }

  const refuseSecond = (connection: LegConnection, facts: object = {}) => {
    log.warn(
      { ...factsOf(connection, 'visitor'), code: 'CALL_DUPLICATE', ...facts },
      'a second visitor leg was hung up',
    )
    reject(connection)
  }

  /**
   * Looks the visitor's UUID up. If its process seems alive, asks again until that process has sent a heartbeat or its lease
   * is over: Asterisk connects again because that process does not answer, and a rejected visitor does not come back.
   */
  const recall = async ({ id }: LegConnection) => {
    const first = await snapshots!.recall(id)
    let arrival = first
    while (first.is === 'elsewhere' && isSilentSince(first, arrival) && !closing.aborted) {
      await delay(AGAIN_MS, closing)
      arrival = await snapshots!.recall(id)
    }
    return arrival
  }

  /** Looks the visitor's call up, then begins, restores or rejects it. */
  const receive = async (connection: LegConnection) => {
    const arrival = await recall(connection)
    waiting.delete(connection.id)
    if (closing.aborted) return reject(connection)
    if (arrival.is === 'restored') return begin(connection, { seq: arrival.seq, restored: arrival.visit })
    if (arrival.is === 'ended') {
      ended.add(connection.id)
      return refuseEnded(connection)
    }
    if (arrival.is === 'elsewhere') return refuseSecond(connection, { node: arrival.nodeId })
    if (isDraining()) return rejectWithPrompt(connection, 'service-closing')
    begin(connection, { seq: arrival.seq })
  }

  /** A resident's leg whose call is not here. */
  const seek = async (connection: LegConnection, rejectLate: () => void) => {
    const found = await snapshots!.locate(connection.id)
    const address = found?.addresses.resident
    if (closing.aborted) return reject(connection)
    // the visitor may have come back meanwhile
    if (find(connection.id)) return join(connection)
    if (address !== undefined) return relay(connection, address)
    rejectLate()
  }

  /** A connection on the resident port joins the call of its UUID. */
  const join = (connection: LegConnection): void => {
    const { id } = connection
    const facts = factsOf(connection, 'resident')
    const call = find(id)
    const rejectLate = () => {
      const code = call || ended.has(id) ? 'CALL_ENDED' : 'CALL_UNKNOWN'
      call?.note('leg.late', 'resident', {})
      log.info({ ...facts, code }, 'a resident leg came for no call')
      rejectWithPrompt(connection, 'visit-over')
    }
    // a relayed leg is not relayed again
    if (!call && snapshots && !ended.has(id) && !connection.relayed) {
      void seek(connection, rejectLate).catch((error) => {
        log.error({ ...facts, code: 'BUG', err: error }, 'a leg could not be taken')
        reject(connection)
      })
    } else if (!call || call.releasing || call.actor.getSnapshot().matches('concluding')) rejectLate()
    else if (call.legs.has('resident')) {
      log.warn({ ...facts, code: 'CALL_DUPLICATE' }, 'a second resident leg was turned away')
      rejectWithPrompt(connection, 'already-answered')
    } else options.join(call, connection)
  }

  return {
    /** A connection on the visitor port starts a call, or goes on with one. */
    attend(connection: LegConnection) {
      const { id } = connection
      const facts = factsOf(connection, 'visitor')
      if (ended.has(id)) return refuseEnded(connection)
      if (find(id) || waiting.has(id)) return refuseSecond(connection)
      if (isDraining()) {
        log.info({ ...facts, code: 'SHUTTING_DOWN' }, 'a call was turned away')
        return rejectWithPrompt(connection, 'service-closing')
      }
      if (count() + waiting.size >= maxCalls) {
        log.warn({ ...facts, code: 'CALLS_EXHAUSTED', max: maxCalls }, 'a call was turned away')
        return rejectWithPrompt(connection, 'lines-busy')
      }
      if (!snapshots) return begin(connection, { seq: 0 })
      waiting.add(id)
      void receive(connection)
        .catch((error) => {
          log.error({ ...facts, code: 'BUG', err: error }, 'a call could not begin')
          reject(connection)
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
