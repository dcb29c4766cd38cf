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

/** The deadline `ms` milliseconds from now. */
export function inMs(ms: number): Deadline {
  return { at: Date.now() + ms }
}
