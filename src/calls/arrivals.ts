import type { SnapshotFrom } from 'xstate'
import type { ContactStep, contactMachine, Decision } from '../../machines/index.ts'
import type { AnswerRules } from '../directory/index.ts'
import type { ArrivedLeg, MediaPort } from '../mediaport/index.ts'
import type { Locale, Role } from '../platform/audio.ts'
import type { ErrorCode } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { delay } from '../platform/time.ts'
import type { LiveCall } from './call.ts'
import type { EndedCalls } from './ended.ts'
import type { Again, Arrival, RestoredVisit, Snapshots } from './recovery/snapshots.ts'
import type { Before, CallSnapshot, Elsewhere } from './sql/snapshots.ts'

/** ms between two checks whether a process is still alive. */
const AGAIN_MS = 1000
/** ms of a look-up after which its leg is held with a prompt. */
const HOLD_MS = 1000
/** Version of a UUID that a dialplan writes in the place of VERSION where it connects a visitor again. */
const VERSION_AGAIN = '8'
const VERSION = '4'
/** Where a UUID has its version, in characters. */
const VERSION_AT = 14

/** How a call begins here: the journal's next number, and the snapshot of a restored call. */
export interface Beginning {
  seq: number
  /** Whether the UUID was used before by a call that cannot go on; `unsure`: nobody can tell. */
  again?: Again
  /** The operator, who is called for a visitor whose call was lost. */
  operator?: OperatorCall | undefined
  /** A decision that was kept before the call was lost: it stands. */
  decision?: Decision | null
  restored?: RestoredVisit
}

/** How a tenant's operator is called, and what counts as an answer. */
export interface OperatorCall {
  attempts: ContactStep[]
  answering: AnswerRules
}

/** A call of this process that goes on with its next visitor leg. */
export interface LostCall {
  snapshot: CallSnapshot
  /** Next number of its journal. */
  seq: number
  /** The process, and the ms since the legs were lost. */
  before: Before
}

type Found = LiveCall & { readonly releasing: boolean }

interface ArrivalsOptions {
  find: (callId: string) => Found | undefined
  /** The call and the attempt of a telephone by its leg's UUID. */
  findTelephone: (legId: string) => { call: Found; attemptId: string } | undefined
  /** Whether a resident's leg that only knows its call may come in by this entrance. */
  admits: (tenantId: string, entrance: string | undefined) => boolean
  /** The resident port of an entrance. */
  residentPort: (entrance: string | undefined) => number | undefined
  /** The language of an entrance. */
  locale: (entrance: string | undefined) => Locale
  /** Live calls. */
  count: () => number
  maxCalls: number
  ended: EndedCalls
  snapshots: Pick<Snapshots, 'recall' | 'locate'> | undefined
  /** The operator of an entrance, if any. Never rejects. */
  findOperator: (entrance: string | undefined) => Promise<OperatorCall | undefined>
  /** Whether no new calls are taken. */
  isDraining: () => boolean
  /** Aborted when no more connections are taken. */
  closing: AbortSignal
  /** The call of this process whose legs were lost with the media thread; from now on it belongs to the caller. */
  takeLost: (callId: string) => LostCall | undefined
  begin: (arrived: ArrivedLeg, beginning: Beginning) => void
  /** `attemptId`: null where it is not known which telephone it is. */
  join: (call: LiveCall, arrived: ArrivedLeg, attemptId: string | null) => void
  media: Pick<MediaPort, 'hold' | 'reject' | 'relay' | 'finishRecordings' | 'loadRecordings'>
  /** Called when a waiting visitor was taken or rejected. */
  onSettled: () => void
  log: Logger
}

/** Decides about each connection: a new call, a restored one, a leg of a call that lives here or elsewhere, or a rejection. */
export function createArrivals(options: ArrivalsOptions) {
  const { find, count, maxCalls, ended, snapshots, isDraining, closing, begin, log } = options
  const { findTelephone, admits, residentPort, media, onSettled } = options
  /** Visitors whose call is still being looked up. */
  const waiting = new Set<string>()

  const factsOf = (arrived: ArrivedLeg, leg: Role) => ({
    call_id: arrived.uuid,
    leg,
    remote: arrived.remote,
  })

  /** In the language of the entrance. */
  const rejectSaying = ({ leg, entrance }: ArrivedLeg, prompt: string) =>
    media.reject(leg, { prompt, locale: options.locale(entrance) })

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
  const recall = async ({ uuid: id }: ArrivedLeg, isAgain: boolean) => {
    const first = await snapshots!.recall(id, isAgain, closing)
    let arrival = first
    while (first.is === 'elsewhere' && isSilentSince(first, arrival) && !closing.aborted) {
      await delay(AGAIN_MS, closing)
      arrival = await snapshots!.recall(id, isAgain, closing)
    }
    return arrival
  }

  /** A leg that waits long hears so. */
  const held = async <T>({ leg, entrance }: ArrivedLeg, lookup: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => media.hold(leg, options.locale(entrance)), HOLD_MS)
    return lookup.finally(() => clearTimeout(timer))
  }

  /** Its recordings were in the lost thread's memory; the disk has them. */
  const resume = async (arrived: ArrivedLeg, { snapshot, seq, before }: LostCall) => {
    const { uuid } = arrived
    await media.finishRecordings(uuid)
    const recordings = await media.loadRecordings(uuid, snapshot.facts.recordings)
    waiting.delete(uuid)
    begin(arrived, { seq, restored: { call: snapshot, before, recordings } })
  }

  /** The visitor of a lost call may have been let in, and the resident asked: the operator finds out, and nobody is asked again. */
  const operatorFor = async ({ entrance }: ArrivedLeg, found: Arrival) =>
    found.is === 'new' && found.again === 'lost' && !found.decision
      ? options.findOperator(entrance)
      : undefined

  /** Looks the visitor's call up, then begins, restores or rejects it. */
  const receive = async (arrived: ArrivedLeg, isAgain: boolean) => {
    const [arrival, operator] = await held(
      arrived,
      recall(arrived, isAgain).then(async (found) => [found, await operatorFor(arrived, found)] as const),
    )
    waiting.delete(arrived.uuid)
    if (closing.aborted) return media.reject(arrived.leg)
    if (arrival.is === 'restored') {
      const { seq, decision, visit: restored } = arrival
      return begin(arrived, { seq, decision, restored })
    }
    if (arrival.is === 'ended') {
      ended.add(arrived.uuid)
      return refuseEnded(arrived)
    }
    if (arrival.is === 'elsewhere') return refuseSecond(arrived, { node: arrival.nodeId })
    if (isDraining()) return rejectSaying(arrived, 'service-closing')
    const { seq, again, decision } = arrival
    begin(arrived, { seq, again, decision, operator })
  }

  const wait = (arrived: ArrivedLeg, beginning: Promise<unknown>) => {
    const { uuid: id, leg } = arrived
    waiting.add(id)
    void beginning
      .catch((error) => {
        log.error({ ...factsOf(arrived, 'visitor'), code: 'BUG', err: error }, 'a call could not begin')
        media.reject(leg)
      })
      .finally(() => {
        waiting.delete(id)
        onSettled()
      })
  }

  const isHere = ({ uuid }: ArrivedLeg) => find(uuid) !== undefined || findTelephone(uuid) !== undefined

  /** A resident's leg whose call is not here. */
  const seek = async (arrived: ArrivedLeg, reject: Rejects) => {
    const found = await held(arrived, snapshots!.locate(arrived.uuid, closing))
    const address = found?.addresses.resident
    if (closing.aborted) return media.reject(arrived.leg)
    // the visitor may have come back meanwhile
    if (isHere(arrived)) return join(arrived)
    if (!found || address === undefined) return reject.late()
    // the other node does not know by which entrance it came
    if (found.callId === arrived.uuid && !admits(found.tenantId, arrived.entrance)) return reject.misplaced()
    media.relay(arrived.leg, address)
  }

  /** A connection on the resident port joins the call whose attempt rang it. */
  const join = (arrived: ArrivedLeg): void => {
    const { uuid, entrance } = arrived
    const telephone = findTelephone(uuid)
    const call = telephone?.call ?? find(uuid)
    const facts = { ...factsOf(arrived, 'resident'), ...(call && { call_id: call.id }) }
    const unexpected = (code: ErrorCode, line: string, more: object = {}) => {
      call?.note('leg.unexpected', 'resident', { code, ...more })
      log.warn({ ...facts, code, ...more }, line)
      rejectSaying(arrived, 'not-expected')
    }
    const reject: Rejects = {
      late() {
        const code = call || ended.has(uuid) ? 'CALL_ENDED' : 'CALL_UNKNOWN'
        call?.note('leg.late', 'resident', {})
        log.info({ ...facts, code }, 'a resident leg came for no call')
        rejectSaying(arrived, 'visit-over')
      },
      misplaced: () =>
        unexpected('LEG_MISPLACED', "a resident leg came by another tenant's entrance", {
          port: residentPort(entrance) ?? null,
        }),
    }
    const ringing = call ? ringingOf(call) : []
    // a relayed leg is not relayed again
    if (!call && snapshots && !ended.has(uuid) && !arrived.relayed) {
      void seek(arrived, reject).catch((error) => {
        log.error({ ...facts, code: 'BUG', err: error }, 'a leg could not be taken')
        media.reject(arrived.leg)
      })
    } else if (!call || call.releasing || call.actor.getSnapshot().matches('concluding')) reject.late()
    // another node has checked the entrance of a leg that it relays, which comes by the main port
    else if (!telephone && !(arrived.relayed && entrance === undefined) && !admits(call.tenantId, entrance))
      reject.misplaced()
    else if (call.legs.has('resident')) {
      log.warn({ ...facts, code: 'CALL_DUPLICATE' }, 'a second resident leg was rejected')
      rejectSaying(arrived, 'already-answered')
    } else if (telephone ? ringing.includes(telephone.attemptId) : ringing.length > 0)
      options.join(call, arrived, telephone ? telephone.attemptId : onlyOne(call, ringing))
    else unexpected('LEG_UNEXPECTED', 'a resident leg came while its telephone was not called')
  }

  return {
    /** A connection on the visitor port starts a call, or goes on with one. */
    attend(given: ArrivedLeg) {
      const isAgain = given.uuid[VERSION_AT] === VERSION_AGAIN
      const arrived = isAgain ? { ...given, uuid: withVersion(given.uuid, VERSION) } : given
      const { uuid: id } = arrived
      const facts = factsOf(arrived, 'visitor')
      if (ended.has(id)) return refuseEnded(arrived)
      if (find(id) || waiting.has(id)) return refuseSecond(arrived)
      const lost = options.takeLost(id)
      if (lost) return wait(arrived, resume(arrived, lost))
      if (isDraining()) {
        log.info({ ...facts, code: 'SHUTTING_DOWN' }, 'a call was rejected')
        return rejectSaying(arrived, 'service-closing')
      }
      if (count() + waiting.size >= maxCalls) {
        log.warn({ ...facts, code: 'CALLS_EXHAUSTED', max: maxCalls }, 'a call was rejected')
        return rejectSaying(arrived, 'lines-busy')
      }
      if (!snapshots) return begin(arrived, { seq: 0 })
      wait(arrived, receive(arrived, isAgain))
    },

    join,

    waiting: () => waiting.size,
  }
}

function withVersion(uuid: string, version: string): string {
  return uuid.slice(0, VERSION_AT) + version + uuid.slice(VERSION_AT + 1)
}

interface Rejects {
  /** The visit is over, or there never was one. */
  late(): void
  misplaced(): void
}

/** The attempts whose telephones may be answered now. */
function ringingOf({ actor }: LiveCall): string[] {
  const snapshot = actor.getSnapshot()
  if (!snapshot.matches({ reaching: 'searching' })) return []
  const contact = snapshot.children['contact']?.getSnapshot() as
    | SnapshotFrom<typeof contactMachine>
    | undefined
  return (contact?.context.ringing ?? []).map(({ attemptId }) => attemptId)
}

/** Which of several telephones a leg is that knows its call only; null where that cannot be told. */
function onlyOne({ telephones }: LiveCall, ringing: readonly string[]): string | null {
  const [first, ...others] = ringing.filter(
    (id) => ringing.length === 1 || telephones.get(id)?.progress === 'answered',
  )
  return first !== undefined && others.length === 0 ? first : null
}

/** The same process, without a new heartbeat. */
function isSilentSince(first: Elsewhere, now: Arrival): boolean {
  return (
    now.is === 'elsewhere' &&
    now.instance === first.instance &&
    now.seenAt.getTime() === first.seenAt.getTime()
  )
}
