import { randomUUID } from 'node:crypto'
import { type Actor, createActor, type Snapshot } from 'xstate'
import type { CallOutput, CallSettings, callMachine, Role } from '../../machines/index.ts'
import type { Entrance, ListeningSettings } from '../directory/index.ts'
import type { ArrivedLeg, MediaPort, SpeechThresholds } from '../mediaport/index.ts'
import { FRAME_MS } from '../platform/audio.ts'
import { fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'
import { type Beginning, createArrivals, type LostCall, type OperatorCall } from './arrivals.ts'
import type { CalledTelephone, LiveCall } from './call.ts'
import {
  actsFor,
  closedOutput,
  type DecidedCall,
  decidedOf,
  lostOutput,
  placeOf,
  rowOf,
  signed,
} from './call-row.ts'
import type { EndedCalls } from './ended.ts'
import type { Journal } from './journal.ts'
import { createLeg } from './leg.ts'
import { observeAttempts, observeStates } from './observer.ts'
import type { CallFiles } from './recovery/call-files.ts'
import type { Snapshots } from './recovery/snapshots.ts'
import type { CallRow, EventRow } from './sql/calls.ts'
import { wordingOf } from './wording.ts'

interface CallsOptions {
  machine: typeof callMachine
  settings: Omit<CallSettings, 'bargesIn' | 'ringsEarly'>
  /** Whether the ringing of the calls that start now can be stopped. */
  ringsEarly: () => boolean
  nodeId: string
  maxCalls: number
  entranceOf: (name: string | undefined) => Entrance
  /** The operator of a tenant, if any. Never rejects. */
  findOperator: (tenantId: string) => Promise<OperatorCall | undefined>
  /** Whether a resident's leg that only knows its call may come in by this entrance. */
  admits: (tenantId: string, entrance: string | undefined) => boolean
  /** A tenant's own WAV for a prompt. */
  ownPrompt?: ((tenantId: string, prompt: string) => string | undefined) | undefined
  /** The resident port of an entrance. */
  residentPort: (entrance: string | undefined) => number | undefined
  media: MediaPort
  /** ms that a call whose legs were lost waits for its visitor. */
  reattachMs: number
  /** The visitor of such a call did not come back. */
  onAbandoned: (callId: string) => void
  ended: EndedCalls
  journal: Journal
  /** Reports that the gate does not answer to a visitor who was let in. Resolves when that is durable. Never rejects. */
  onGateFailed: (call: DecidedCall) => Promise<void>
  /** Undefined if calls do not outlive their process. */
  snapshots?: Snapshots | undefined
  /** Has a file for each live call. */
  files?: Pick<CallFiles, 'add' | 'end'> | undefined
  /** Called for each call that broke. */
  report?: ((error: unknown, tags: { call_id: string; tenant: string }) => void) | undefined
  log: Logger
}

export type Calls = ReturnType<typeof createCalls>

/** The prompt for a visitor who comes back to a restored call. */
const APOLOGY = 'call-restored'
/** ms after which APOLOGY counts as said. */
const APOLOGY_MS = 1000

/** Starts, finds and ends the calls of this node. Each call is a root actor. */
export function createCalls(options: CallsOptions) {
  const { settings, nodeId, maxCalls, media, ended, journal, snapshots, files, log } = options
  const live = new Map<string, Entry>()
  /** Telephones of live calls by the UUID of their leg. */
  const telephones = new Map<string, { call: Entry; attemptId: string }>()
  const outcomes = new Map<string, number>()
  /** Calls whose legs were lost with the media thread, until their visitors connect again. */
  const lost = new Map<string, { call: Entry; at: number; timer: NodeJS.Timeout }>()
  let draining = false
  const closing = new AbortController()
  let emptied: (() => void) | undefined

  interface Entry extends LiveCall {
    readonly finish: (output: CallOutput | undefined) => void
    /** It has ended, and its resources are being released. */
    releasing: boolean
    /** When the decision that is in the journal was made. */
    decided: number | undefined
    /** The gate's answer is in the journal. */
    answered: boolean
    /** Number of ended attempts in the journal. */
    attempts: number
    /** The unit in its row. */
    unitId: string | undefined
    /** Next number of its journal. */
    nextSeq: () => number
  }

  const begin = (arrived: ArrivedLeg, beginning: Beginning) => {
    const { seq: first, again, operator, decision, restored } = beginning
    const { uuid: id } = arrived
    const { call: before, recordings } = restored ?? {}
    const startedAt = before?.startedAt ?? new Date()
    const entrance = before ? (before.gate ?? undefined) : arrived.entrance
    const { tenantId, name: welcome, bargesIn, listening, texts } = options.entranceOf(entrance)
    const { promise, resolve } = Promise.withResolvers<CallOutput | undefined>()
    let seq = first
    const note: LiveCall['note'] = (kind, leg, data, at = new Date()) => {
      journal.event({ callId: id, seq: seq++, at, kind, leg, data })
    }
    const take = () => (call.releasing ? undefined : (call.lost ?? snapshots?.take(call)))
    const noteAttempt = observeAttempts((what, attempt) => {
      note(`attempt.${what}`, 'resident', { ...attempt })
    })
    const noteState = observeStates((change) => {
      note('state', null, { ...change })
      if (snapshots) journal.snapshot(id, take)
      const { unit } = call.actor.getSnapshot().context
      // a child knows the unit before the call's own state changes
      if (change.actor !== 'call' && unit?.id === call.unitId) return
      call.unitId = unit?.id
      // before `committing` asks who decided
      noteDecision(call)
      journal.call(rowOf(call, nodeId))
    })
    const actor: Actor<typeof callMachine> = createActor(options.machine, {
      id,
      input: {
        callId: id,
        startedAt: startedAt.getTime(),
        ...(again && { beginning: `b${startedAt.getTime().toString(36)}` }),
        welcome,
        ...(operator && { attempts: operator.attempts }),
        settings: { ...settings, ...operator?.answering, bargesIn, ringsEarly: options.ringsEarly() },
      },
      ...(before && { snapshot: before.snapshot as Snapshot<unknown> }),
      inspect: (event) => {
        noteAttempt(event)
        noteState(event)
      },
    })
    const call: Entry = {
      id,
      tenantId: before?.tenantId ?? tenantId,
      entrance,
      startedAt,
      actor,
      legs: new Map(),
      recordings: new Set(recordings),
      visitor: before?.facts.visitor ?? { name: null, intent: null },
      wanted: before?.facts.wanted ?? null,
      listening,
      wording: (piece) =>
        wordingOf(
          { texts, fileOf: (prompt) => options.ownPrompt?.(tenantId, prompt), intent: call.visitor.intent },
          piece,
        ),
      telephones: new Map(),
      onLine: null,
      phones: new Map(),
      remotes: new Map(),
      byHand: undefined,
      decidedBy: undefined,
      preface: before ? [APOLOGY] : [],
      resuming: undefined,
      ended: promise,
      finish: resolve,
      releasing: false,
      decided: undefined,
      answered: false,
      attempts: 0,
      unitId: undefined,
      lost: undefined,
      nextSeq: () => seq,
      note,
      telephoneOf: (attemptId) => call.telephones.get(attemptId) ?? expect(call, attemptId, randomUUID()),
    }
    live.set(id, call)
    files?.add(id)
    for (const [attemptId, legId] of Object.entries(before?.facts.legs ?? {})) expect(call, attemptId, legId)
    const facts = { call_id: id, leg: 'visitor', tenant: call.tenantId, remote: arrived.remote }
    const { unit: _, ...its } = placeOf(call)
    const place = { ...its, node: nodeId }
    if (restored) note('restored', null, { ...place, before: restored.before })
    else note('started', null, place)
    connect(call, arrived)
    actor.subscribe({
      next: () => {
        noteAttempts(call)
        noteDecision(call)
        noteGate(call)
      },
      complete() {
        if (!call.lost) void release(call, actor.getSnapshot().output)
      },
      error: (error) => {
        log.error({ call_id: id, code: 'BUG', err: error }, 'the machine of a call has crashed')
        options.report?.(error, { call_id: id, tenant: call.tenantId })
        note('fault', null, { reason: reasonOf(error) })
        void release(call, undefined)
      },
    })
    if (restored) {
      const { instance, nodeId: node, silentMs } = restored.before
      log.info({ ...facts, from: node, from_instance: instance, silent_ms: silentMs }, 'call restored')
      resume(call)
    } else {
      // the visitor may have said all of this before
      if (again === 'used' || again === 'lost') call.preface = [APOLOGY]
      if (operator) log.warn(facts, 'the call of a visitor is lost: the operator is called')
      else if (again)
        log.warn(
          { ...facts, again },
          'a call begins anew under a UUID that was, or may have been, used before',
        )
      log.info(facts, 'call started')
      actor.start()
    }
    // the snapshot is older than the decision, or cannot be restored: nobody is asked again
    if (decision && !actor.getSnapshot().context.decision) actor.send({ type: 'decision.given', ...decision })
  }

  /** Starts the machines in their restored states; a prompt or recording in progress was cut off. */
  const resume = (call: Entry) => {
    const { actor } = call
    const { promise, resolve } = Promise.withResolvers<void>()
    call.resuming = promise
    const { ended, gate } = actor.getSnapshot().context
    call.attempts = ended.length
    call.answered = gate !== null
    // the report may have been lost with the process
    if (gate === 'failed') call.reporting = options.onGateFailed(decidedOf(call, nodeId))
    actor.start()
    actor.send({ type: 'call.restored' })
    call.resuming = undefined
    resolve()
    // may be a duplicate: consumers deduplicate
    noteDecision(call)
    journal.call(rowOf(call, nodeId))
    // play the preface even when the state says nothing, such as under a ringing tone
    setImmediate(() => {
      const preface = call.preface.splice(0)
      const leg = call.legs.get('visitor')
      if (preface.length === 0 || !leg) return
      void leg.say(preface, new AbortController().signal).then(({ ms, interrupted }) => {
        // interrupted by the next prompt: say it before that one
        if (interrupted && ms < APOLOGY_MS) call.preface.push(...preface)
      })
    })
  }

  const expect = (call: Entry, attemptId: string, legId: string): CalledTelephone => {
    const telephone: CalledTelephone = { legId, progress: 'asked' }
    call.telephones.set(attemptId, telephone)
    telephones.set(legId, { call, attemptId })
    return telephone
  }

  const connect = (call: Entry, arrived: ArrivedLeg) => {
    const { role, remote } = arrived
    const { locale } = options.entranceOf(call.entrance)
    call.remotes.set(role, remote)
    call.legs.set(
      role,
      createLeg({ call, arrived, media, locale, speech: thresholdsOf(call.listening, role), log }),
    )
    call.note('leg.connected', role, { remote })
  }

  /** The legs of these calls are gone with their media thread: their machines stop where they are, until their visitors are back. */
  const loseLegs = (isLost: (callId: string) => boolean) => {
    for (const call of [...live.values()]) {
      if (call.releasing || !isLost(call.id)) continue
      const snapshot = options.reattachMs > 0 ? snapshots?.take(call) : undefined
      if (!snapshot) {
        void release(call, lostOutput(call))
        continue
      }
      // restoring changes the object that it is given
      call.lost = structuredClone({ ...snapshot, snapshot: JSON.parse(JSON.stringify(snapshot.snapshot)) })
      call.actor.stop()
      for (const { legId } of call.telephones.values()) telephones.delete(legId)
      live.delete(call.id)
      const timer = setTimeout(() => abandon(call), options.reattachMs)
      lost.set(call.id, { call, at: performance.now(), timer })
    }
  }

  const takeLost = (callId: string): LostCall | undefined => {
    const found = lost.get(callId)
    if (!found) return undefined
    clearTimeout(found.timer)
    lost.delete(callId)
    const { call, at } = found
    const snapshot = call.lost!
    const before = { instance: snapshot.instance, nodeId, silentMs: Math.round(performance.now() - at) }
    return { snapshot, seq: call.nextSeq(), before }
  }

  /** Its visitor did not come back. */
  const abandon = (call: Entry) => {
    clearTimeout(lost.get(call.id)?.timer)
    lost.delete(call.id)
    call.note('lost', null, {})
    options.onAbandoned(call.id)
    void media.finishRecordings(call.id)
    return release(call, lostOutput(call))
  }

  const release = async (call: Entry, output: CallOutput | undefined) => {
    if (call.releasing) return
    call.releasing = true
    ended.add(call.id)
    for (const { legId } of call.telephones.values()) {
      telephones.delete(legId)
      ended.add(legId)
    }
    // also for a broken call: an older Asterisk takes a closed socket without 0x00 for silence
    for (const leg of call.legs.values()) leg.hangUp()
    await Promise.all([...call.legs.values()].map((leg) => leg.destroy()))
    call.actor.stop()
    media.forgetCall(call.id)
    const outcome = output?.outcome ?? 'unreachable'
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    const { reason = 'fault', decision = null, durations = null } = output ?? {}
    const endedAt = new Date()
    const data = { ...placeOf(call), outcome, reason, durations }
    const event: EventRow = {
      callId: call.id,
      seq: call.nextSeq(),
      at: endedAt,
      kind: 'ended',
      leg: null,
      data,
    }
    const row: CallRow = {
      ...rowOf(call, nodeId),
      state: 'ended',
      endedAt,
      outcome,
      reason,
      decision: signed(call, decision),
      durations,
    }
    call.note('ended', null, data, endedAt)
    journal.call(row)
    files?.end({ call: row, event }, journal.written())
    log.info({ call_id: call.id, tenant: call.tenantId, outcome, reason, ms: durations?.total }, 'call ended')
    live.delete(call.id)
    call.finish(output)
    tellEmpty()
  }

  const tellEmpty = () => {
    if (live.size + lost.size === 0 && arrivals.waiting() === 0) emptied?.()
  }

  const noteAttempts = (call: Entry) => {
    const { ended } = call.actor.getSnapshot().context
    for (const attempt of ended.slice(call.attempts)) call.note('attempt.ended', 'resident', { ...attempt })
    call.attempts = ended.length
  }

  /** Notes the decision at once, with who made it. */
  const noteDecision = (call: Entry) => {
    const { decision } = call.actor.getSnapshot().context
    if (!decision || call.decided === decision.at) return
    // an earlier one that stands has its own name
    if (call.decided !== undefined) call.decidedBy = undefined
    else if (decision.via === 'key' || decision.via === 'voice') call.decidedBy = actsFor(call)
    call.decided = decision.at
    const { verdict, by, via } = signed(call, decision)
    // a restored call tells it again: its moment stays, and with it the command's id and age
    call.note('decided', null, { ...placeOf(call), verdict, by, via }, new Date(decision.at))
  }

  const noteGate = (call: Entry) => {
    const { gate } = call.actor.getSnapshot().context
    if (!gate || call.answered) return
    call.answered = true
    call.note(`gate.${gate}`, null, placeOf(call))
    if (gate === 'failed') call.reporting = options.onGateFailed(decidedOf(call, nodeId))
  }

  const find = (callId: string): LiveCall | undefined => live.get(callId)

  const get = (callId: string): LiveCall => {
    const call = live.get(callId)
    if (!call) throw fail(ended.has(callId) ? 'CALL_ENDED' : 'CALL_UNKNOWN', { callId })
    return call
  }

  const arrivals = createArrivals({
    find: (callId) => live.get(callId),
    findTelephone: (legId) => telephones.get(legId),
    admits: options.admits,
    residentPort: options.residentPort,
    locale: (entrance) => options.entranceOf(entrance).locale,
    findOperator: (entrance) => options.findOperator(options.entranceOf(entrance).tenantId),
    count: () => live.size + lost.size,
    takeLost,
    maxCalls,
    ended,
    snapshots,
    isDraining: () => draining,
    closing: closing.signal,
    begin,
    join(call, connection, attemptId) {
      call.onLine = attemptId
      connect(call as Entry, connection)
      call.actor.send({ type: 'resident.joined', attemptId })
    },
    media,
    onSettled: tellEmpty,
    log,
  })

  return {
    attend: arrivals.attend,
    loseLegs,
    join: arrivals.join,
    find,
    /** Errors: CALL_UNKNOWN, CALL_ENDED. */
    get,
    list: (): LiveCall[] => [...live.values()],
    /** A live call with its decision. Errors: CALL_UNKNOWN. */
    async decided(callId: string): Promise<DecidedCall> {
      const call = find(callId)
      if (!call) throw fail('CALL_UNKNOWN', { callId })
      // who decided is noted at the end of the transition that started this
      await call.resuming
      return decidedOf(call, nodeId)
    },
    /** Sends 0x00 to one leg. Errors: CALL_UNKNOWN, CALL_ENDED, LEG_ABSENT. */
    hangUp(callId: string, role: Role, by: string) {
      const call = get(callId)
      if (!call.legs.has(role)) throw fail('LEG_ABSENT', { callId, role })
      call.note('leg.hangUp', role, { by })
      call.actor.send({ type: 'leg.hangUp', role })
    },
    /** Live calls and legs now, and ended calls by outcome since the start. */
    counts: () => ({
      calls: live.size,
      legs: [...live.values()].reduce((sum, call) => sum + call.legs.size, 0),
      outcomes: Object.fromEntries(outcomes),
    }),
    /** Takes no new calls; resolves when the last live one has ended. */
    async drain() {
      draining = true
      if (live.size + lost.size === 0 && arrivals.waiting() === 0) return
      await new Promise<void>((resolve) => {
        emptied = resolve
      })
    },
    /** Ends the live calls without goodbyes: 0x00 to every leg, then hangupGraceMs for the PBX to close. */
    async close() {
      draining = true
      closing.abort()
      const calls = [...live.values()]
      const legs = calls.flatMap((call) => [...call.legs.values()])
      // before the hangups: otherwise the first leg to close would count as a party that hung up
      for (const { actor } of calls) actor.send({ type: 'call.end', reason: 'closing' })
      for (const leg of legs) leg.hangUp()
      await withTimeout(settings.hangupGraceMs, Promise.all(legs.map((leg) => leg.closed)))
      await Promise.all(calls.map((call) => release(call, closedOutput(call))))
      await Promise.all([...lost.values()].map(({ call }) => abandon(call)))
    },
  }
}

/** The tenant's thresholds as the detector of one leg takes them. */
function thresholdsOf(listening: ListeningSettings, role: Role): SpeechThresholds {
  const { vadMode, vadOnsetMs } = listening
  const quietMs = role === 'visitor' ? listening.visitorQuietMs : listening.residentQuietMs
  return {
    ...(vadMode !== undefined && { mode: vadMode }),
    ...(vadOnsetMs !== undefined && { onsetFrames: vadOnsetMs / FRAME_MS }),
    ...(quietMs !== undefined && { hangoverMs: quietMs }),
  }
}
