import type { InspectionEvent } from 'xstate'
import { stateName } from '../../machines/index.ts'

/** One machine of a call has come into another state. */
interface StateChange {
  /** `call`, or the id of its child: visitor, contact, resident, visitorLeg, residentLeg. */
  actor: string
  /** As `call.ringing`; parallel regions are joined by a space. */
  state: string
  /** The type of the event that did it. */
  on: string
}

/**
 * An `inspect` observer for one call that tells of changed states only. It must never throw: XState would throw it at
 * whoever sent the event.
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
