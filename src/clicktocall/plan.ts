import type { Attempt, Contact } from '../../machines/index.ts'
import type { ContactPlan } from '../store/contact-plan.ts'

export interface PlanDefaults {
  attempts: number
  ringMs: number
  /** How long an answer in writing is waited for. */
  answerMs: number
}

export interface Reach {
  /** The unit's people, in their order. */
  contacts: readonly Contact[]
  operator: Contact | undefined
  /** Whether anybody of the unit can be asked in writing. */
  reads: boolean
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
