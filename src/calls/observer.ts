import type { InspectionEvent } from 'xstate'
import { stateName } from '../../machines/index.ts'

/** A machine of a call has changed its state. */
interface StateChange {
  /** `call`, or the id of its child: visitor, contact, resident, visitorLeg, residentLeg. */
  actor: string
  /** As `call.ringing`; parallel regions are joined by a space. */
  state: string
  /** Type of the event that caused it. */
  on: string
}

/**
 * An `inspect` observer for one call that reports state changes only. It must never throw: XState would pass the error to the
 * sender of the event.
 */
export function observeStates(tell: (change: StateChange) => void): (event: InspectionEvent) => void {
  const last = new Map<string, string>()
  return (inspected) => {
    if (inspected.type !== '@xstate.snapshot' || !('value' in inspected.snapshot)) return
    const { actorRef, event, snapshot } = inspected
    const state = stateName(snapshot.value)
    const { sessionId } = actorRef
    if (last.get(sessionId) === state) return
    last.set(sessionId, state)
    const actor = 'id' in actorRef && actorRef.sessionId !== inspected.rootId ? String(actorRef.id) : 'call'
    tell({ actor, state, on: event.type })
    if (snapshot.status !== 'active') last.delete(sessionId)
  }
}
