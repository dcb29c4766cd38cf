import type { Missed } from './contact.ts'
import type { Verdict } from './resident.ts'
import type { Piece, Role } from './speech.ts'
import type { GaveUp } from './unit.ts'

export const OUTCOMES = [
  'authorized',
  'denied',
  'undecided',
  'unanswered',
  'unreachable',
  'abandoned',
  'blocked',
  'expired',
] as const

/** How a call ended. */
export type Outcome = (typeof OUTCOMES)[number]

/** Why it ended so, if the outcome alone does not say it. */
export type Reason =
  | 'visitor-left'
  | 'hung-up'
  | 'visitor-silent'
  | 'unknown-unit'
  | 'no-contact'
  | 'rule'
  | 'no-answer'
  | 'resident-left'
  | 'undecided'
  | 'too-long'
  | 'closing'
  | 'fault'

export interface Decision {
  verdict: Verdict
  /** Who decided: `resident`, `operator`, `rule`, or the name of the API key. */
  by: string
  via: 'key' | 'voice' | 'whatsapp' | 'api' | 'rule'
  /** Milliseconds since the epoch. */
  at: number
}

export interface Ending {
  outcome: Outcome
  reason: Reason | null
}

/** The ending of a visit whose visitor said too little. */
export const BY_GIVING_UP: Record<GaveUp, Ending> = {
  silent: { outcome: 'abandoned', reason: 'visitor-silent' },
  'unknown-unit': { outcome: 'unreachable', reason: 'unknown-unit' },
}

/** The ending of a visit whose search is over without a decision. */
export const BY_MISSING: Record<Missed, Ending> = {
  undecided: { outcome: 'undecided', reason: 'undecided' },
  unanswered: { outcome: 'unanswered', reason: 'no-answer' },
  unreachable: { outcome: 'unreachable', reason: 'no-contact' },
}

/**
 * What became of the command to open: the gate acknowledged it, it was sent to a gate that acknowledges nothing, the entrance has no
 * gate, or the gate did not answer in time.
 */
export type GateAnswer = 'opened' | 'sent' | 'none' | 'failed'

/** The goodbye that each leg hears for an ending. */
export function goodbye({ outcome, reason }: Ending, gate: GateAnswer | null = null): Record<Role, Piece[]> {
  if (outcome === 'authorized' && gate === 'failed') return GATE_SILENT
  const special = reason ? BY_REASON[reason] : undefined
  return special ?? BY_OUTCOME[outcome]
}

const words = (visitor: string, resident: string): Record<Role, Piece[]> => ({
  visitor: [`farewell-visitor-${visitor}`],
  resident: [`farewell-resident-${resident}`],
})

const GATE_SILENT = words('gate-silent', 'gate-silent')

const BY_OUTCOME: Record<Outcome, Record<Role, Piece[]>> = {
  authorized: words('authorized', 'authorized'),
  denied: words('denied', 'denied'),
  undecided: words('undecided', 'undecided'),
  unanswered: words('unanswered', 'ended'),
  unreachable: words('unreachable', 'ended'),
  abandoned: words('ended', 'visitor-left'),
  blocked: words('blocked', 'ended'),
  expired: words('expired', 'expired'),
}

const BY_REASON: Partial<Record<Reason, Record<Role, Piece[]>>> = {
  'visitor-silent': words('silent', 'ended'),
  'unknown-unit': words('unknown-unit', 'ended'),
  closing: words('ended', 'ended'),
  fault: words('ended', 'ended'),
}
