import type { Actor } from 'xstate'
import type { CallOutput, callMachine, Role } from '../../machines/index.ts'
import type { Leg, LegOwner } from './leg.ts'

/** A call that lives on this node: its actor, and the plain objects the actor's ports work on. */
export interface LiveCall extends LegOwner {
  readonly tenantId: string
  readonly gate: string | undefined
  readonly startedAt: Date
  readonly actor: Actor<typeof callMachine>
  readonly legs: Map<Role, Leg>
  /** Resolves when the call has ended and everything of it is released. */
  readonly ended: Promise<CallOutput | undefined>
}
