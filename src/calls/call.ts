import type { Actor } from 'xstate'
import type { CallOutput, callMachine, Piece, Role, Unit } from '../../machines/index.ts'
import type { Intent } from '../directory/index.ts'
import type { Leg, LegOwner } from './leg.ts'

/** A unit with the people who may be rung for it. */
export interface FoundUnit extends Unit {
  block: string | null
  residents: readonly {
    id: string
    name: string
    phone: string | null
    whatsapp: string | null
    notify: boolean
    /** The number may be a stranger's: it is not asked. */
    held?: true
  }[]
}

/** A call that lives on this node: its actor, and the plain objects the actor's ports work on. */
export interface LiveCall extends LegOwner {
  readonly tenantId: string
  readonly gate: string | undefined
  readonly startedAt: Date
  readonly actor: Actor<typeof callMachine>
  readonly legs: Map<Role, Leg>
  /** What the visitor said of themselves, for the rules; null where nothing was said or understood. */
  visitor: { name: string | null; intent: Intent | null }
  /** Said to the visitor before whatever is said to them next. */
  preface: Piece[]
  /** While a kept call is taken up: resolves when its machines stand where they go on. */
  resuming: Promise<void> | undefined
  /** Resolves when the call has ended and everything of it is released. */
  readonly ended: Promise<CallOutput | undefined>
}
