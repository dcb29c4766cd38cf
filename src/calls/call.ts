import type { Actor } from 'xstate'
import type { CallOutput, callMachine, Piece, Role, Screened, Unit } from '../../machines/index.ts'
import type { SpokenIntent } from '../dialogue/index.ts'
import type { ListeningSettings } from '../directory/index.ts'
import type { Leg, LegOwner } from './leg.ts'
import type { CallSnapshot } from './sql/snapshots.ts'

/** A unit with its residents. */
export interface FoundUnit extends Unit {
  block: string | null
  tower: string | null
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

/** A telephone that was asked to ring for a call. */
export interface CalledTelephone {
  /** The UUID that its leg brings. */
  readonly legId: string
  /** As far as the PBX reports it. */
  progress: 'asked' | 'ringing' | 'answered'
  /** Who answered, where the PBX has detected it. */
  screened?: Screened
}

/** A call that lives on this node: its actor, and the plain objects that the actor's ports use. */
export interface LiveCall extends LegOwner {
  readonly tenantId: string
  /** By name; undefined for the main port pair. */
  readonly entrance: string | undefined
  readonly startedAt: Date
  readonly actor: Actor<typeof callMachine>
  readonly legs: Map<Role, Leg>
  /** What the visitor said, for the rules; null for what was not said or understood. The intent goes when the unit is corrected. */
  visitor: { name: string | null; intent: SpokenIntent | null }
  /** The resident whom the visitor asked for by name, by their id. */
  wanted: string | null
  /** By the attempt's id. */
  readonly telephones: Map<string, CalledTelephone>
  /** The attempt whose telephone is the resident's leg; null where nobody is there, or the leg did not tell. */
  onLine: string | null
  /** The tenant's thresholds. */
  readonly listening: ListeningSettings
  /** Who presses the keys of a telephone of the page, by the port it connects from. */
  readonly phones: Map<string, string>
  /** Where each leg connects from: `address:port`. */
  readonly remotes: Map<Role, string>
  /** Who sends an event to this call's actors by hand at this moment. */
  byHand: string | undefined
  /** Who decided on the resident's behalf, through a telephone of the page or by hand. */
  decidedBy: string | undefined
  /** Said to the visitor before the next prompt. */
  preface: Piece[]
  /** While the call is being restored: resolves when its machines have started. */
  resuming: Promise<void> | undefined
  /** While the decision becomes durable, and afterwards; rejects if it cannot. Undefined without a decision. */
  committing?: Promise<unknown>
  /** While it becomes durable that the gate did not answer, and afterwards. Undefined where it did. */
  reporting?: Promise<void>
  /** Its state when its legs were lost with the media thread: it waits for its visitor, and its machines have stopped. */
  lost: CallSnapshot | undefined
  /** The telephone of an attempt; one that is new gets the UUID of its leg. */
  telephoneOf(attemptId: string): CalledTelephone
  /** Resolves when the call has ended and all its resources are released. */
  readonly ended: Promise<CallOutput | undefined>
}

/** Forgets the intent if the visitor corrects the unit: it was stated about another one. Called when a unit is asked for. */
export function forgetIntent(call: LiveCall): void {
  if (call.actor.getSnapshot().context.unit !== null) call.visitor = { ...call.visitor, intent: null }
}
