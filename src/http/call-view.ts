import type { AnyActorRef } from 'xstate'
import { stateName } from '../../machines/index.ts'
import type { EventRow, LiveCall } from '../calls/index.ts'
import { NOTHING_YET, type Snapshot, snapshotAfter } from '../web/live/call-fold.js'

/** The states of a call of this node and of all machines below it that are at work. */
export function snapshotOf({ actor, legs }: LiveCall): Snapshot {
  const snapshot = actor.getSnapshot()
  return {
    state: stateName(snapshot.value),
    legs: [...legs.keys()],
    children: statesBelow(snapshot.children),
  }
}

function statesBelow(children: Readonly<Record<string, AnyActorRef | undefined>>): Record<string, string> {
  const states: Record<string, string> = {}
  for (const [name, child] of Object.entries(children)) {
    const inner = child?.getSnapshot()
    // a child that is over stays where it was until its parent moves on
    if (inner?.status !== 'active' || !('value' in inner)) continue
    Object.assign(states, { [name]: stateName(inner.value) }, statesBelow(inner.children ?? {}))
  }
  return states
}

/**
 * The same of a call that lives on another node, as its journal tells; children that have ended are still among them. The legs
 * of a call that no process has are gone, though nobody could note it.
 */
export function snapshotBy(events: readonly EventRow[], isAwaitingVisitor = false): Snapshot {
  const snapshot = events.reduce<Snapshot>(snapshotAfter, NOTHING_YET)
  return isAwaitingVisitor ? { ...snapshot, legs: [] } : snapshot
}
