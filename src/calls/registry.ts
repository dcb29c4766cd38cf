import { type Actor, createActor } from 'xstate'
import type { CallOutput, CallSettings, callMachine, Role } from '../../machines/index.ts'
import { stateName } from '../../machines/index.ts'
import { fail, reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { CallRow } from '../store/calls.ts'
import { atMost } from '../wait.ts'
import type { LiveCall } from './call.ts'
import type { EndedCalls } from './ended.ts'
import type { Gate } from './gates.ts'
import type { Journal } from './journal.ts'
import type { Leg, LegConnection } from './leg.ts'
import { observeStates } from './observer.ts'

export interface CallsOptions {
  machine: typeof callMachine
  settings: Omit<CallSettings, 'bargesIn'>
  nodeId: string
  maxCalls: number
  gate: (name: string | undefined) => Gate
  /** Puts ears and a voice on a connection; the leg owns both until it is closed. */
  openLeg: (call: LiveCall, connection: LegConnection) => Leg
  /** Says one prompt to a connection that belongs to no call and hangs it up. */
  dismiss: (connection: LegConnection, prompt: string) => void
  /** Hangs such a connection up without a word, and closes it when the other side does not. */
  turnAway: (connection: LegConnection) => void
  ended: EndedCalls
  journal: Journal
  /** Hears of calls that broke. */
  report?: ((error: unknown, tags: { call_id: string; tenant: string }) => void) | undefined
  log: Logger
}

export type Calls = ReturnType<typeof createCalls>

/** Every call of this node: starts, finds and ends them. A call is a root actor of its own. */
export function createCalls(options: CallsOptions) {
  const { settings, nodeId, maxCalls, ended, journal, log, openLeg, dismiss, turnAway } = options
  const live = new Map<string, Entry>()
  const outcomes = new Map<string, number>()
  let draining = false
  let emptied: (() => void) | undefined

  interface Entry extends LiveCall {
    readonly finish: (output: CallOutput | undefined) => void
    /** It has ended, and what it held is being released. */
    releasing: boolean
    /** The journal has its decision. */
    decided: boolean
  }

  /** A connection on the visitor port starts a call. */
  const attend = (connection: LegConnection) => {
    const { id: callId } = connection
    const facts = { call_id: callId, leg: 'visitor', remote: connection.remote }
    if (ended.has(callId)) {
      log.info({ ...facts, code: 'CALL_ENDED' }, 'an ended call connected again and was hung up')
      return turnAway(connection)
    }
    if (live.has(callId)) {
      log.warn({ ...facts, code: 'CALL_DUPLICATE' }, 'a second visitor leg was hung up')
      return turnAway(connection)
    }
    if (draining) {
      log.info({ ...facts, code: 'SHUTTING_DOWN' }, 'a call was turned away')
      return dismiss(connection, 'service-closing')
    }
    if (live.size >= maxCalls) {
      log.warn({ ...facts, code: 'CALLS_EXHAUSTED', max: maxCalls }, 'a call was turned away')
      return dismiss(connection, 'lines-busy')
    }
    start(connection)
  }

  /** A connection on the resident port joins the call of its UUID. */
  const join = (connection: LegConnection) => {
    const { id: callId } = connection
    const facts = { call_id: callId, leg: 'resident', remote: connection.remote }
    const call = live.get(callId)
    if (!call || call.releasing || call.actor.getSnapshot().matches('concluding')) {
      const code = call || ended.has(callId) ? 'CALL_ENDED' : 'CALL_UNKNOWN'
      call?.note('leg.late', 'resident', {})
      log.info({ ...facts, code }, 'a resident leg came for no call')
      return dismiss(connection, 'visit-over')
    }
    if (call.legs.has('resident')) {
      log.warn({ ...facts, code: 'CALL_DUPLICATE' }, 'a second resident leg was turned away')
      return dismiss(connection, 'already-answered')
    }
    connect(call, connection)
    call.actor.send({ type: 'resident.joined' })
  }

  const start = (connection: LegConnection) => {
    const startedAt = new Date()
    const { id } = connection
    const { tenantId, name: welcome, bargesIn } = options.gate(connection.gate)
    const { promise, resolve } = Promise.withResolvers<CallOutput | undefined>()
    let seq = 0
    const note: LiveCall['note'] = (kind, leg, data) => {
      journal.event({ callId: id, seq: seq++, at: new Date(), kind, leg, data })
    }
    const actor: Actor<typeof callMachine> = createActor(options.machine, {
      id,
      input: { callId: id, startedAt: startedAt.getTime(), welcome, settings: { ...settings, bargesIn } },
      inspect: observeStates((change) => {
        note('state', null, { ...change })
        if (change.actor !== 'call') return
        noteDecision(call)
        journal.call(rowOf(call))
      }),
    })
    const call: Entry = {
      id,
      tenantId,
      gate: connection.gate,
      startedAt,
      actor,
      legs: new Map(),
      recordings: new Map(),
      visitor: { name: null, intent: null },
      ended: promise,
      finish: resolve,
      releasing: false,
      decided: false,
      note,
    }
    live.set(id, call)
    note('started', null, { tenant: tenantId, gate: call.gate ?? null, node: nodeId })
    connect(call, connection)
    actor.subscribe({
      complete: () => void release(call, actor.getSnapshot().output),
      error: (error) => {
        log.error({ call_id: id, code: 'BUG', err: error }, 'a call broke')
        options.report?.(error, { call_id: id, tenant: tenantId })
        note('fault', null, { reason: reasonOf(error) })
        void release(call, undefined)
      },
    })
    log.info({ call_id: id, leg: 'visitor', tenant: tenantId, remote: connection.remote }, 'call started')
    actor.start()
  }

  const connect = (call: Entry, connection: LegConnection) => {
    const { role } = connection
    call.legs.set(role, openLeg(call, connection))
    call.note('leg.connected', role, { remote: connection.remote })
    void connection.closed.then(() => {
      const stats = connection.stats()
      call.note('leg.closed', role, { ...stats })
      if (call.legs.get(role)?.connection === connection) call.legs.delete(role)
    })
  }

  const release = async (call: Entry, output: CallOutput | undefined) => {
    if (call.releasing) return
    call.releasing = true
    ended.add(call.id)
    // a call that broke still owes its legs the 0x00: an older Asterisk takes a closed socket for silence
    for (const leg of call.legs.values()) leg.hangUp()
    await Promise.all([...call.legs.values()].map((leg) => leg.destroy()))
    call.actor.stop()
    call.recordings.clear()
    const outcome = output?.outcome ?? 'unreachable'
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    const { reason = 'fault', decision = null, durations = null } = output ?? {}
    call.note('ended', null, { ...placeOf(call), outcome, reason, durations })
    journal.call({
      ...rowOf(call),
      state: 'ended',
      endedAt: new Date(),
      outcome,
      reason,
      decision,
      durations,
    })
    log.info({ call_id: call.id, tenant: call.tenantId, outcome, reason, ms: durations?.total }, 'call ended')
    live.delete(call.id)
    call.finish(output)
    if (live.size === 0) emptied?.()
  }

  /** At its moment, which is long before the end: a gate opens by it. */
  const noteDecision = (call: Entry) => {
    const { decision } = call.actor.getSnapshot().context
    if (!decision || call.decided) return
    call.decided = true
    const { verdict, by, via } = decision
    call.note('decided', null, { ...placeOf(call), verdict, by, via })
  }

  const rowOf = (call: LiveCall): CallRow => {
    const { context, value } = call.actor.getSnapshot()
    return {
      id: call.id,
      tenantId: call.tenantId,
      nodeId,
      gate: call.gate ?? null,
      unitId: context.unit?.id ?? null,
      unitNumber: context.unit?.number ?? null,
      state: stateName(value),
      startedAt: call.startedAt,
      endedAt: null,
      outcome: null,
      reason: null,
      decision: context.decision,
      durations: null,
    }
  }

  const find = (callId: string): LiveCall | undefined => live.get(callId)

  const get = (callId: string): LiveCall => {
    const call = live.get(callId)
    if (!call) throw fail(ended.has(callId) ? 'CALL_ENDED' : 'CALL_UNKNOWN', { callId })
    return call
  }

  return {
    attend,
    join,
    find,
    /** Errors: CALL_UNKNOWN, CALL_ENDED. */
    get,
    list: (): LiveCall[] => [...live.values()],
    /** Sends 0x00 to one leg. Errors: CALL_UNKNOWN, CALL_ENDED, LEG_ABSENT. */
    hangUp(callId: string, role: Role) {
      const call = get(callId)
      if (!call.legs.has(role)) throw fail('LEG_ABSENT', { callId, role })
      call.note('leg.hangUp', role, {})
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
      if (live.size === 0) return
      await new Promise<void>((resolve) => {
        emptied = resolve
      })
    },
    /** Ends what still lives: 0x00 to every leg, a moment for the PBX to close, and no goodbyes. */
    async close() {
      draining = true
      const calls = [...live.values()]
      const legs = calls.flatMap((call) => [...call.legs.values()])
      // first, or the leg that closes before the other would look like somebody who left
      for (const { actor } of calls) actor.send({ type: 'call.end', reason: 'closing' })
      for (const leg of legs) leg.hangUp()
      await atMost(settings.hangupGraceMs, Promise.all(legs.map((leg) => leg.connection.closed)))
      await Promise.all(calls.map((call) => release(call, closed(call))))
    },
  }
}

/** Whose gate it is and which unit is wanted: what those need who follow the journal. */
function placeOf({ tenantId, gate, actor }: LiveCall) {
  const { unit } = actor.getSnapshot().context
  return { tenant: tenantId, gate: gate ?? null, unit: unit && { id: unit.id, number: unit.number } }
}

/** What a call comes to whose PBX did not close in time. */
function closed({ actor, startedAt }: LiveCall): CallOutput {
  const { ending, decision, answeredAt } = actor.getSnapshot().context
  const since = (at: number | undefined | null) => (at == null ? null : at - startedAt.getTime())
  return {
    outcome: ending?.outcome ?? 'expired',
    reason: ending ? ending.reason : 'closing',
    decision,
    durations: {
      total: Date.now() - startedAt.getTime(),
      toAnswer: since(answeredAt),
      toDecision: since(decision?.at),
    },
  }
}
