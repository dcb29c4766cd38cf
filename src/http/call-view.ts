import type { AnyActorRef } from 'xstate'
import { stateName } from '../../machines/index.ts'
import type { EventRow, LiveCall } from '../calls/index.ts'
import { MASKED } from '../inspect/index.ts'
import { NOTHING_YET, type Snapshot, snapshotAfter, type TriedAttempt } from '../web/live/call-fold.js'

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

/** Digits of a telephone number that are shown to everybody who may see the call. */
const SHOWN_DIGITS = 4
/** A number of fewer digits is an extension, and no person's secret. */
const SECRET_DIGITS = 8

/** Attempts with whom they were for, as the directory has them now. */
export function attemptsWithNames(
  attempts: readonly TriedAttempt[],
  residents: readonly { id: string; name: string; phone: string | null }[],
  { masked }: { masked: boolean },
) {
  const byId = new Map(residents.map((resident) => [resident.id, resident]))
  return attempts.map((attempt) => {
    const { name = null, phone = null } = byId.get(attempt.residentId ?? '') ?? {}
    return { ...attempt, name, number: phone !== null && masked ? maskedNumber(phone) : phone }
  })
}

function maskedNumber(number: string): string {
  const digits = number.replace(/\D/g, '')
  return digits.length < SECRET_DIGITS ? number : `${MASKED}${digits.slice(-SHOWN_DIGITS)}`
}
