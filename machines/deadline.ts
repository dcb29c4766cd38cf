import type { AnyActorRef } from 'xstate'
import { clockOf } from './clock.ts'
import { port } from './port.ts'

/**
 * A deadline is a child actor with an absolute time as its input. XState loses delayed transitions when it restores a
 * snapshot, but it restores the input of a promise, which then waits for the remaining time only.
 */
export interface Deadline {
  /** Milliseconds since the epoch. */
  at: number
}

export const deadline = port<void, Deadline>('deadline')

/** The deadline `ms` milliseconds from now, by the clock of the actor's system. */
export function inMs(actor: AnyActorRef, ms: number): Deadline {
  return { at: clockOf(actor).now() + ms }
}
