import { type Contact, type ContactStep, TOGETHER } from '../../machines/index.ts'
import type { ContactPlan, PlanStep } from '../directory/index.ts'
import type { ErrorCode } from '../platform/errors.ts'

export interface PlanDefaults {
  attempts: number
  ringMs: number
  /** How long the call waits for a written reply, in ms. */
  answerMs: number
}

interface Reach {
  /** The unit's residents with a number, in order. */
  contacts: readonly Contact[]
  operator: Contact | undefined
  /** Whether a resident of the unit can be asked in writing. */
  reads: boolean
}

/** The ways of this service to reach residents. */
interface Means {
  /** Whether it can call. */
  rings: boolean
  /** Whether it has a messenger account. */
  writes: boolean
}

/** A step that is skipped. */
interface SkippedStep {
  /** Position in the plan, from 1. */
  step: number
  kind: PlanStep['kind']
  code: ErrorCode
}

/** The steps that `contactSteps` skips, with the reason. */
export function skippedSteps(
  plan: ContactPlan,
  { contacts, operator, reads }: Reach,
  { rings, writes }: Means,
): SkippedStep[] {
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

/** The positions, from 1, of the steps that have several telephones ring at once. */
export function stepsTogether(plan: ContactPlan, { contacts }: Pick<Reach, 'contacts'>): number[] {
  return plan.flatMap((step, at) => (isTogether(step, contacts) ? [at + 1] : []))
}

function isTogether(step: PlanStep, reachable: readonly Contact[]): boolean {
  return step.kind === 'call' && step.strategy === 'together' && reachable.length > 1
}

/** One group at a time rings, in order. */
function groupsOf(contacts: readonly Contact[]): Contact[][] {
  const count = Math.ceil(contacts.length / TOGETHER)
  return Array.from({ length: count }, (_, at) => contacts.slice(at * TOGETHER, (at + 1) * TOGETHER))
}

/**
 * The steps of a contact plan, resolved. Every resident of a unit is called once before the second round begins, or all at once where
 * the step says `together` and the dialer can. A step with nobody to call or to ask is skipped.
 */
export function contactSteps(
  plan: ContactPlan,
  { contacts, operator, reads }: Reach,
  defaults: PlanDefaults & { together: boolean },
): ContactStep[] {
  return plan.flatMap((step) => {
    if (step.kind === 'whatsapp') return reads ? [askOnce(step.ringSeconds, defaults)] : []
    const kind = step.kind
    const reachable = kind === 'call' ? contacts : operator ? [operator] : []
    const ringMs = step.ringSeconds === undefined ? defaults.ringMs : step.ringSeconds * 1000
    const round =
      defaults.together && isTogether(step, reachable)
        ? groupsOf(reachable).map((group): ContactStep => ({ kind: 'together', contacts: group, ringMs }))
        : reachable.map((contact): ContactStep => ({ kind, contact, ringMs }))
    return Array.from({ length: step.attempts ?? defaults.attempts }, () => round).flat()
  })
}

function askOnce(seconds: number | undefined, { answerMs }: PlanDefaults): ContactStep {
  return { kind: 'whatsapp', waitMs: seconds === undefined ? answerMs : seconds * 1000 }
}
