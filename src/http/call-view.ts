import type { AnyActorRef } from 'xstate'
import { stateName } from '../../machines/index.ts'
import type { EventRow, LiveCall } from '../calls/index.ts'
import { NOTHING_YET, type Snapshot, snapshotAfter } from '../web/live/call-fold.js'

/** The states of a call of this node and of all its active child machines. */
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
    // a finished child stays in the snapshot until its parent changes state
    if (inner?.status !== 'active' || !('value' in inner)) continue
    Object.assign(states, { [name]: stateName(inner.value) }, statesBelow(inner.children ?? {}))
  }
  return states
}

/**
 * The same for a call on another node, from its journal; ended children are still included. The legs
 * of a call without a process are gone, although no event says so.
 */
export function snapshotBy(events: readonly EventRow[], isAwaitingVisitor = false): Snapshot {
  const snapshot = events.reduce<Snapshot>(snapshotAfter, NOTHING_YET)
  return isAwaitingVisitor ? { ...snapshot, legs: [] } : snapshot
}
