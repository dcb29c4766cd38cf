import { type EventObject, fromCallback, fromPromise } from 'xstate'
import type {
  AskRequest,
  Contact,
  DialRequest,
  LegRef,
  Matched,
  Piece,
  Recording,
  RecordingName,
  RingResult,
  Role,
  Said,
  Saying,
  Screened,
  ScreeningFact,
  SharedNumber,
  Unit,
  UnitFound,
} from '../../machines/index.ts'
import {
  contactSteps,
  type Dialer,
  isScreened,
  type PlanDefaults,
  type Report,
  skippedSteps,
  stepsTogether,
} from '../clicktocall/index.ts'
import { unitsInBlock } from '../dialogue/index.ts'
import type { AnswerRules, ContactPlan, EarlyDecision, Intent, ResolvedPlan } from '../directory/index.ts'
import { FRAME_MS } from '../platform/audio.ts'
import { asPorteiroError, fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'
import type { OperatorCall } from './arrivals.ts'
import { type FoundUnit, forgetIntent, type LiveCall } from './call.ts'
import { hearLegs } from './leg.ts'
import type { WrittenQuestions } from './written-questions.ts'

/** Maximum ms of a directory query; the visitor waits on the line. */
const DIRECTORY_MS = 5000

/** The visitor as rules know them. */
type Visitor = { name: string | null; intent: Intent | null }

export interface CallEffectsOptions {
  find: (callId: string) => LiveCall | undefined
  /** By id. */
  findUnit: (tenantId: string, id: string) => Promise<FoundUnit | undefined>
  /** By number, in whatever blocks. */
  findUnits: (tenantId: string, number: string) => Promise<FoundUnit[]>
  dialer: Pick<Dialer, 'contacts' | 'dial' | 'cancel' | 'listen' | 'ringsTogether'>
  rules: {
    decideEarly(tenantId: string, unitId: string, visitor: Visitor): Promise<EarlyDecision>
    /** Without a unit: the tenant's. */
    resolvePlan(tenantId: string, unitId: string | null): Promise<ResolvedPlan>
    /** As the tenant has them now: a change applies to the next call. */
    readAnswerRules(tenantId: string): Promise<AnswerRules>
  }
  operator: Contact | undefined
  /** Whether a dialer is configured. */
  rings: boolean
  /** Asks residents in writing. */
  asking: WrittenQuestions
  /** For steps of a plan without values of their own. */
  defaults: PlanDefaults
  log: Logger
}

/** Implements the ports of the call's machines, but for those of the room gates: finds the call and its legs by id, and lets them act. */
export function createCallEffects(options: CallEffectsOptions) {
  const { find, findUnit, findUnits, dialer, rules, operator, rings, asking, defaults, log } = options
  const legOf = (callId: string, role: Role) => find(callId)?.legs.get(role)

  /** Cancels an attempt, but not that of the telephone on the line: cancelling an answered call would hang up on the resident. */
  const cancel = (request: DialRequest) => {
    const call = find(request.callId)
    // its telephones go on ringing, as those of a process that is lost
    if (call?.lost) return
    if (!call?.legs.has('resident')) return dialer.cancel(request, 'over')
    const { onLine, telephones } = call
    // a telephone that was answered too late hears so when its leg arrives
    const isAnswered = telephones.get(request.attemptId)?.progress === 'answered'
    if (onLine !== null && onLine !== request.attemptId && !isAnswered)
      dialer.cancel(request, 'answered-elsewhere')
  }

  /** Keeps what the PBX reports of a telephone that rings or was answered. */
  const noteReport = (callId: string, attemptId: string, report: Exclude<Report, RingResult['end']>) => {
    const call = find(callId)
    if (!call) return
    const telephone = call.telephoneOf(attemptId)
    if (isScreened(report)) telephone.screened = report
    telephone.progress = report === 'ringing' ? 'ringing' : 'answered'
    call.note(`telephone.${report}`, 'resident', { attempt: attemptId })
  }

  const sayTo = async (callId: string, role: Role, pieces: Piece[], signal: AbortSignal) => {
    const call = find(callId)
    if (call?.resuming) await call.resuming
    const leg = call?.legs.get(role)
    if (!call || !leg || signal.aborted) return { ms: 0, interrupted: true, beganAt: Date.now() }
    const before = role === 'visitor' ? call.preface.splice(0) : []
    try {
      return await leg.say([...before, ...pieces], signal)
    } catch (error) {
      // a missing prompt is better than a broken call
      log.error({ call_id: callId, leg: role, reason: reasonOf(error) }, 'could not be said')
      return { ms: 0, interrupted: true, beganAt: Date.now() }
    }
  }

  const readDirectory = async <T>(callId: string, query: (tenantId: string) => Promise<T>): Promise<T> => {
    const call = find(callId)
    if (!call) throw fail('CALL_UNKNOWN', { callId })
    try {
      return await within(DIRECTORY_MS, query(call.tenantId))
    } catch (error) {
      log.error({ call_id: callId, reason: reasonOf(error) }, 'the directory did not answer')
      throw error
    }
  }

  /** True if it cannot be known now: the question itself then finds out. */
  const hasAccount = async (tenantId: string, steps: ContactPlan): Promise<boolean> => {
    if (!steps.some(({ kind }) => kind === 'whatsapp')) return true
    return within(DIRECTORY_MS, asking.hasAccount(tenantId)).catch(() => true)
  }

  return {
    say: fromPromise<Said, Saying>(({ input: { callId, role, pieces }, signal }) =>
      sayTo(callId, role, pieces, signal),
    ),

    sayBoth: fromPromise<{ beganAt: number }, { callId: string; words: Record<Role, Piece[]> }>(
      async ({ input: { callId, words }, signal }) => {
        // "the porter was told" is true when it is said
        await find(callId)?.reporting
        const said = await Promise.all([
          sayTo(callId, 'visitor', words.visitor, signal),
          sayTo(callId, 'resident', words.resident, signal),
        ])
        // the first frame has been heard after its 20 ms
        return { beganAt: Math.max(...said.map(({ beganAt }) => beganAt)) + FRAME_MS }
      },
    ),

    record: fromPromise<Recording, { callId: string; role: Role; name: RecordingName }>(
      async ({ input: { callId, role, name }, signal }) => {
        const leg = legOf(callId, role)
        if (!leg) return { name, heard: false, ms: 0 }
        return leg.record(name, signal)
      },
    ),

    findUnit: fromPromise<UnitFound, SharedNumber & { callId: string }>(
      async ({ input: { callId, number, blocks } }) => {
        const call = find(callId)
        if (call) forgetIntent(call)
        const all = await readDirectory(callId, (tenantId) => findUnits(tenantId, number))
        const [unit, ...others] = blocks.reduce(unitsInBlock, all)
        if (!unit) return null
        return others.length > 0 ? 'several' : { id: unit.id, number: unit.number, label: unit.label }
      },
    ),

    match: fromPromise<Matched, { callId: string; unit: Unit }>(async ({ input: { callId, unit } }) => {
      const call = find(callId)
      const found = await readDirectory(callId, (tenantId) => findUnit(tenantId, unit.id))
      if (!call || !found) return { verdict: 'contact', attempts: [] }
      const { decision, rule } = await within(
        DIRECTORY_MS,
        rules.decideEarly(call.tenantId, found.id, forRules(call.visitor)),
      )
      if (rule) call.note('rule', null, { decision, ...rule })
      if (decision !== 'contact') return { verdict: decision }
      const [plan, answering] = await within(
        DIRECTORY_MS,
        Promise.all([rules.resolvePlan(call.tenantId, found.id), rules.readAnswerRules(call.tenantId)]),
      )
      if (plan.problem) {
        log.error(
          { call_id: callId, tenant: call.tenantId, plan: plan.problem },
          'a contact plan cannot be read',
        )
      }
      const reads = found.residents.some(({ whatsapp, notify, held }) => whatsapp !== null && notify && !held)
      const writes = await hasAccount(call.tenantId, plan.steps)
      const contacts = wantedFirst(dialer.contacts(found), call.wanted)
      const reach = { contacts, operator, reads: reads && writes }
      for (const skipped of skippedSteps(plan.steps, { ...reach, reads }, { rings, writes })) {
        call.note('step.skipped', null, { ...skipped })
        log.warn(
          { call_id: callId, tenant: call.tenantId, ...skipped },
          'a step of the contact plan is skipped',
        )
      }
      const together = dialer.ringsTogether()
      for (const step of together ? [] : stepsTogether(plan.steps, reach)) {
        call.note('step.ordered', null, { step, code: 'TOGETHER_UNAVAILABLE' })
        log.warn(
          { call_id: callId, tenant: call.tenantId, step, code: 'TOGETHER_UNAVAILABLE' },
          'telephones that were to ring together ring in order',
        )
      }
      return {
        verdict: 'contact',
        attempts: contactSteps(plan.steps, reach, { ...defaults, together }),
        answering,
      }
    }),

    dial: fromPromise<void, DialRequest>(async ({ input, signal }) => {
      const facts = { attempt: input.attemptId, contact: input.contact.residentId }
      const call = find(input.callId)
      if (!call) throw fail('CALL_UNKNOWN', { callId: input.callId })
      const { legId } = call.telephoneOf(input.attemptId)
      try {
        await dialer.dial({ ...input, legId })
        // the state was left during the request
        if (signal.aborted) return call.lost ? undefined : cancel(input)
        call.note('dial', 'resident', facts)
      } catch (error) {
        call.note('dial.failed', 'resident', { ...facts, reason: reasonOf(error) })
        log.warn({ call_id: input.callId, reason: reasonOf(error) }, 'the resident could not be called')
        // a request without an answer may still ring, and the next attempt would place a second call
        if (/_(TIMEOUT|BLOCKED)$/.test(asPorteiroError(error).code)) cancel(input)
        throw error
      }
    }),

    ring: fromCallback<EventObject, DialRequest, RingResult>(({ input, sendBack }) => {
      const { callId, attemptId } = input
      let rings = true
      const forget = dialer.listen(input, (report) => {
        if (isEnd(report)) {
          rings = false
          sendBack({ type: 'ring.ended', end: report })
        } else noteReport(callId, attemptId, report)
      })
      return () => {
        forget()
        // what the PBX has ended rings no more
        if (rings) cancel(input)
      }
    }),

    screen: fromCallback<EventObject, { callId: string }, ScreeningFact>(
      ({ input: { callId }, sendBack }) => {
        const call = find(callId)
        const attemptId = call?.onLine
        if (!call || !attemptId) return
        const tell = (answeredBy: Screened) => sendBack({ type: 'line.screened', answeredBy })
        const { screened } = call.telephoneOf(attemptId)
        if (screened) tell(screened)
        // the event may come after the leg
        return dialer.listen({ callId, attemptId }, (report) => {
          if (!isScreened(report)) return
          noteReport(callId, attemptId, report)
          tell(report)
        })
      },
    ),

    ask: fromPromise<void, AskRequest>(async ({ input: { callId, unit, waitMs }, signal }) => {
      const call = find(callId)
      const found = await readDirectory(callId, (tenantId) => findUnit(tenantId, unit.id))
      if (!call || !found) return
      try {
        const asked = await asking.ask({
          callId,
          tenantId: call.tenantId,
          unit: found,
          residents: found.residents,
          visitor: call.visitor,
          recorded: call.recordings.has('identity'),
          waitMs,
        })
        call.note('asked', null, { residents: asked, via: 'whatsapp', waitMs })
        // the state was left during the request
        if (signal.aborted) asking.close(callId)
      } catch (error) {
        const { code } = asPorteiroError(error)
        call.note('ask.failed', null, { via: 'whatsapp', code })
        log.warn({ call_id: callId, code, reason: reasonOf(error) }, 'nobody could be asked in writing')
        throw error
      }
    }),

    await: fromCallback<EventObject, { callId: string; asks: boolean }>(({ input: { callId, asks } }) => {
      return () => {
        if (asks && !find(callId)?.lost) asking.close(callId)
      }
    }),

    tone: fromCallback<EventObject, { callId: string; role: Role; tone: 'ringback' | 'hold' }>(({ input }) =>
      legOf(input.callId, input.role)?.loop(input.tone),
    ),

    bridge: fromCallback<EventObject, { callId: string }>(({ input: { callId } }) => {
      const visitor = legOf(callId, 'visitor')
      const resident = legOf(callId, 'resident')
      return visitor && resident ? visitor.bridge(resident) : undefined
    }),

    hear: hearLegs(({ callId, role }) => legOf(callId, role)),

    hangUp: fromPromise<void, LegRef>(async ({ input: { callId, role } }) => {
      legOf(callId, role)?.hangUp()
    }),

    release: fromPromise<void, LegRef>(async ({ input: { callId, role } }) => {
      await legOf(callId, role)?.destroy()
    }),
  }
}

/** The operator as the tenant's contact plan calls them; undefined where it does not, or cannot be read. Never rejects. */
export async function findOperator(
  { rules, operator, defaults, log }: Pick<CallEffectsOptions, 'rules' | 'operator' | 'defaults' | 'log'>,
  tenantId: string,
): Promise<OperatorCall | undefined> {
  try {
    const [{ steps }, answering] = await within(
      DIRECTORY_MS,
      Promise.all([rules.resolvePlan(tenantId, null), rules.readAnswerRules(tenantId)]),
    )
    const those = steps.filter(({ kind }) => kind === 'operator')
    const reach = { contacts: [], operator, reads: false }
    const attempts = contactSteps(those, reach, { ...defaults, together: false })
    return attempts.length > 0 ? { attempts, answering } : undefined
  } catch (error) {
    log.error({ tenant: tenantId, reason: reasonOf(error) }, 'the directory did not answer')
    return undefined
  }
}

function isEnd(report: Report): report is Exclude<RingResult['end'], 'hopeless'> {
  return report !== 'ringing' && report !== 'answered' && !isScreened(report)
}

/** Whom the visitor asked for by name is called first. */
function wantedFirst(contacts: readonly Contact[], wanted: string | null): Contact[] {
  return contacts.toSorted((a, b) => Number(b.residentId === wanted) - Number(a.residentId === wanted))
}

/** The result of a query; rejects with DATABASE_UNREACHABLE if it takes longer than `ms`. */
async function within<T>(ms: number, query: Promise<T>): Promise<T> {
  const done = await withTimeout(
    ms,
    query.then((value) => ({ value })),
  )
  if (!done) throw fail('DATABASE_UNREACHABLE', { reason: `no answer in ${ms} ms` })
  return done.value
}

/** Windows know no ordered cars: to them they are `other`. */
function forRules({ name, intent }: LiveCall['visitor']): Visitor {
  return { name, intent: intent === 'app' ? 'other' : intent }
}
