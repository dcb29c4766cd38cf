import type { InspectionEvent } from 'xstate'
import { type CallEvent, type OpenAttempt, stateName } from '../../machines/index.ts'

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

/** Reports the attempts that the search begins, and the one that gets the resident's line. It must never throw, either. */
export function observeAttempts(
  tell: (what: 'began' | 'answered', attempt: OpenAttempt) => void,
): (event: InspectionEvent) => void {
  return (inspected) => {
    if (inspected.type !== '@xstate.event' || inspected.actorRef.sessionId !== inspected.rootId) return
    const event = inspected.event as CallEvent
    if (event.type === 'contact.began') for (const attempt of event.attempts) tell('began', attempt)
    else if (event.type === 'contact.answered') tell('answered', event.attempt)
  }
}
