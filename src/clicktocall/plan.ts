import type { Attempt, Contact } from '../../machines/index.ts'
import type { ContactPlan, PlanStep } from '../directory/index.ts'
import type { ErrorCode } from '../platform/errors.ts'

export interface PlanDefaults {
  attempts: number
  ringMs: number
  /** How long an answer in writing is waited for. */
  answerMs: number
}

interface Reach {
  /** The unit's people, in their order. */
  contacts: readonly Contact[]
  operator: Contact | undefined
  /** Whether anybody of the unit can be asked in writing. */
  reads: boolean
}

/** What this service has to reach anybody by. */
interface Means {
  /** A way to ring. */
  rings: boolean
  /** An account to write by. */
  writes: boolean
}

/** A step that nobody is rung or asked by. */
interface PassedOver {
  /** Its place in the plan, from 1. */
  step: number
  kind: PlanStep['kind']
  code: ErrorCode
}

/** The steps that `attemptsOf` leaves out, each with why. */
export function passedOver(
  plan: ContactPlan,
  { contacts, operator, reads }: Reach,
  { rings, writes }: Means,
): PassedOver[] {
  const codes: Record<PlanStep['kind'], ErrorCode | undefined> = {
    call: rings ? (contacts.length > 0 ? undefined : 'CONTACT_NOBODY') : 'DIAL_UNAVAILABLE',
    operator: rings ? (operator ? undefined : 'OPERATOR_UNAVAILABLE') : 'DIAL_UNAVAILABLE',
    whatsapp: writes ? (reads ? undefined : 'WHATSAPP_NOBODY') : 'WHATSAPP_UNAVAILABLE',
  }
  return plan.flatMap(({ kind }, at) => {
    const code = codes[kind]
    return code ? [{ step: at + 1, kind, code }] : []
  })
}

/**
 * A contact plan as the attempts it means. All of a unit are rung once before the second round begins. A step that has
 * nobody to ring or to ask is left out.
 */
export function attemptsOf(
  plan: ContactPlan,
  { contacts, operator, reads }: Reach,
  defaults: PlanDefaults,
): Attempt[] {
  return plan.flatMap((step) => {
    if (step.kind === 'whatsapp') return reads ? [askOnce(step.ringSeconds, defaults)] : []
    const kind = step.kind
    const reachable = kind === 'call' ? contacts : operator ? [operator] : []
    const ringMs = step.ringSeconds === undefined ? defaults.ringMs : step.ringSeconds * 1000
    const round = reachable.map((contact): Attempt => ({ kind, contact, ringMs }))
    return Array.from({ length: step.attempts ?? defaults.attempts }, () => round).flat()
  })
}

function askOnce(seconds: number | undefined, { answerMs }: PlanDefaults): Attempt {
  return { kind: 'whatsapp', waitMs: seconds === undefined ? answerMs : seconds * 1000 }
}
