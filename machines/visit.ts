import type { Attempt, ContactFact, EndedAttempt, OpenAttempt } from './contact.ts'
import type { LegFact } from './leg.ts'
import type { Decision, Ending, Outcome, Reason } from './outcome.ts'
import type { Verdict } from './resident.ts'
import type { Recording, Role } from './speech.ts'
import type { Unit } from './unit.ts'
import type { VisitorFact } from './visitor.ts'

/** Times in ms, fixed when the call starts. */
export interface CallSettings {
  /** Whether speech is transcribed; otherwise only keys count. */
  transcribes: boolean
  /** Whether speech interrupts what is said; a setting of the tenant. */
  bargesIn: boolean
  /** Between two attempts to reach the resident. */
  pauseMs: number
  talkMs: number
  /** What follows a talk that ended without a decision; a setting of the tenant. */
  afterTalk: 'end' | 'next'
  callMaxMs: number
  hangupDelayMs: number
  hangupGraceMs: number
}

/** What the rules say of a visit before anybody is rung, and whom to ring where they leave it open. */
export type Matched =
  | { verdict: 'contact'; attempts: Attempt[] }
  | { verdict: 'blocked' | 'authorized'; attempts?: undefined }

export interface CallInput {
  callId: string
  /** Milliseconds since the epoch. */
  startedAt: number
  /** The condominium's name, if it is to be spoken. */
  welcome: string | null
  settings: CallSettings
}

/** What is known of a visit so far. */
export interface CallContext extends CallInput {
  /** The legs that are connected now. */
  legs: Role[]
  unit: Unit | null
  identity: Recording | null
  purpose: Recording | null
  attempts: Attempt[]
  /** Whom the last attempt rang, and so who answers. */
  ringing: Attempt['kind']
  /** The attempt whose telephone is on the line. */
  line: OpenAttempt | null
  /** The attempts that are over, in the order of their ends. */
  ended: EndedAttempt[]
  /** The call's maximum was over while somebody was on the line. */
  isOverdue: boolean
  ending: Ending | null
  decision: Decision | null
  answeredAt: number | null
}

export type CallEvent =
  | LegFact
  | VisitorFact
  | ContactFact
  /** Somebody is on the resident's leg; `attemptId` where the leg tells which telephone it is. */
  | { type: 'resident.joined'; attemptId?: string | null }
  /** Once, when the visitor has come back to a call that was kept: what was being said or heard was cut off. */
  | { type: 'call.restored' }
  | { type: 'decision.given'; verdict: Verdict; by: string; via: Decision['via'] }
  | { type: 'leg.hangUp'; role: Role }
  | { type: 'legs.hangUp' }
  | { type: 'call.end'; reason: 'closing' | 'fault' }

export interface CallOutput {
  outcome: Outcome
  reason: Reason | null
  decision: Decision | null
  attempts: EndedAttempt[]
  /** ms since the call started, and all in all. */
  durations: { total: number; toAnswer: number | null; toDecision: number | null }
}

export function newVisit(input: CallInput): CallContext {
  return {
    ...input,
    legs: ['visitor'],
    unit: null,
    identity: null,
    purpose: null,
    attempts: [],
    ringing: 'call',
    line: null,
    ended: [],
    isOverdue: false,
    ending: null,
    decision: null,
    answeredAt: null,
  }
}

/** What it comes to; the ending is known by then. */
export function resultOf({ ending, decision, ended, answeredAt, startedAt }: CallContext): CallOutput {
  const since = (at: number | null) => (at === null ? null : at - startedAt)
  return {
    ...ending!,
    decision,
    attempts: ended,
    durations: {
      total: Date.now() - startedAt,
      toAnswer: since(answeredAt),
      toDecision: since(decision?.at ?? null),
    },
  }
}
