import type { AnyActor } from 'xstate'

/** A call that can be led from its beginning to its end. */
export interface Drivable {
  readonly actor: AnyActor
  press(role: 'visitor' | 'resident', key: string): void
  join(): void
}
