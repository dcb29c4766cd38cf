import { port } from './port.ts'

/**
 * A deadline is a child actor with an absolute time as its input, because XState's own delayed transitions are lost when
 * a snapshot is restored, while a promise's input is restored and so re-arms itself with the time that remains.
 */
export interface Deadline {
  /** Milliseconds since the epoch. */
  at: number
}

export const deadline = port<void, Deadline>('deadline')

/** The deadline that lies so many milliseconds ahead. */
export function inMs(ms: number): Deadline {
  return { at: Date.now() + ms }
}
