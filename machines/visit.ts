import type { ContactFact, ContactStep, EndedAttempt, LineEnd, OpenAttempt } from './contact.ts'
import type { LegFact } from './leg.ts'
import type { Decision, Ending, GateAnswer, Outcome, Reason } from './outcome.ts'
import type { AnswerCheck } from './proving.ts'
import type { Verdict } from './resident.ts'
import type { Recording, Role } from './speech.ts'
import type { Unit } from './unit.ts'
import type { VisitorFact } from './visitor.ts'

/** Times in ms, fixed when the call starts. */
export interface CallSettings extends AnswerSettings {
  /** Whether speech is transcribed; otherwise only keys count. */
  transcribes: boolean
  /** Whether speech interrupts prompts; a setting of the tenant. */
  bargesIn: boolean
  /** Between two attempts to reach the resident. */
  pauseMs: number
  /** Whether a telephone may ring before the visitor has heard everything, because its ringing can be stopped. */
  ringsEarly: boolean
  talkMs: number
  callMaxMs: number
  hangupDelayMs: number
  hangupGraceMs: number
}

/** What the tenant wants of an answered line; read when the unit is matched. */
export interface AnswerSettings {
  /** How a human is distinguished from a mailbox. */
  answerCheck: AnswerCheck
  /** Whether a mailbox gets a short neutral message after its beep. */
  leavesMessage: boolean
  /** What follows a talk without a decision. */
  afterTalk: 'end' | 'next'
}

/** The decision of the rules before anybody is called; `contact` leaves it to the attempts. */
export type Matched =
  | { verdict: 'contact'; attempts: ContactStep[]; answering?: AnswerSettings }
  | { verdict: 'blocked' | 'authorized'; attempts?: undefined; answering?: undefined }

export interface CallInput {
  callId: string
  /** Milliseconds since the epoch. */
  startedAt: number
  /** Distinguishes the call from an earlier one of its UUID, whose ids must not be used again; absent for the first. */
  beginning?: string
  /** The condominium's name, if the greeting has it. */
  welcome: string | null
  /** Whom to call before the visitor is asked anything: the operator, for a visitor whose call nobody knows any more. */
  attempts?: ContactStep[]
  settings: CallSettings
}

/** All that is known about a visit so far. */
export interface CallContext extends CallInput {
  /** The legs that are connected now. */
  legs: Role[]
  unit: Unit | null
  identity: Recording | null
  purpose: Recording | null
  attempts: ContactStep[]
  /** The attempt that has the resident's line. */
  line: OpenAttempt | null
  /** How often the visitor corrected the unit after the dialogue; ids of attempts have it. */
  searches: number
  /** Why we are ending the line; null while it stands. */
  lineEnd: LineEnd | null
  /** Whether the person on the line has heard the gatehouse's greeting. */
  greeted: boolean
  /** Attempts that are over, in the order in which they ended. */
  ended: EndedAttempt[]
  /** Whether the call's maximum passed while a line was open. */
  isOverdue: boolean
  ending: Ending | null
  decision: Decision | null
  /** The gate's answer to a visitor who was let in; null before. */
  gate: GateAnswer | null
  answeredAt: number | null
  /** When a person was known to be on the line that was proven last, ms since the epoch. */
  provenAt: number | null
}

export type CallEvent =
  | LegFact
  | VisitorFact
  | ContactFact
  /** A resident's leg is connected; `attemptId` if it names its attempt. */
  | { type: 'resident.joined'; attemptId?: string | null }
  /** Once, after the call was restored from its snapshot: the prompt or recording in progress was cut off. */
  | { type: 'call.restored' }
  /** `at` of a decision that another process has kept; absent: now. */
  | { type: 'decision.given'; verdict: Verdict; by: string; via: Decision['via']; at?: number }
  | { type: 'gate.answered'; answer: GateAnswer }
  | { type: 'decision.stood'; decision: Decision }
  | { type: 'leg.hangUp'; role: Role }
  | { type: 'legs.hangUp' }
  | { type: 'call.end'; reason: 'closing' | 'fault' }

export interface CallOutput {
  outcome: Outcome
  reason: Reason | null
  decision: Decision | null
  attempts: EndedAttempt[]
  /** ms since the call started; `total` is its length. */
  durations: { total: number; toAnswer: number | null; toDecision: number | null }
}

export function newVisit(input: CallInput): CallContext {
  return {
    ...input,
    legs: ['visitor'],
    unit: null,
    identity: null,
    purpose: null,
    attempts: input.attempts ?? [],
    line: null,
    searches: 0,
    lineEnd: null,
    greeted: false,
    ended: [],
    isOverdue: false,
    ending: null,
    decision: null,
    gate: null,
    answeredAt: null,
    provenAt: null,
  }
}

/** The result of a call whose ending is known and that is over `now`. */
export function resultOf(
  { ending, decision, ended, answeredAt, startedAt }: CallContext,
  now: number,
): CallOutput {
  const since = (at: number | null) => (at === null ? null : at - startedAt)
  return {
    ...ending!,
    decision,
    attempts: ended,
    durations: {
      total: now - startedAt,
      toAnswer: since(answeredAt),
      toDecision: since(decision?.at ?? null),
    },
  }
}
