import type { Actor, AnyActorLogic, AnyActorRef } from 'xstate'

/** A clock that tells the time too, as XState's `SimulatedClock` does; XState's own type has the timers only. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

/**
 * The clock of the actor's system: the option `clock` of its root's `createActor`. Where that tells no time, `Date` does.
 * Machines take the time from nowhere else, so that a simulated clock is all that a test needs.
 */
export function clockOf(actor: AnyActorRef): Clock {
  // every running actor is an `Actor`; XState's type of `self` hides the clock
  const { clock } = actor as Actor<AnyActorLogic>
  if ('now' in clock) return clock as Clock
  return {
    now: () => Date.now(),
    setTimeout: (run, ms) => clock.setTimeout(run, ms),
    clearTimeout: (timer) => clock.clearTimeout(timer),
  }
}
