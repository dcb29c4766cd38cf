/**
 * The state of a call after an event of its journal. The service uses this file for calls of other processes and the page for calls
 * that it follows, so that both show the same. It imports nothing: Node runs it, and the browser is served it.
 */

/** @typedef {'visitor' | 'resident'} Role */
/** @typedef {{ kind: string, leg: Role | null, data: unknown }} CallEvent An event of a call's journal. */
/**
 * @typedef {object} Snapshot The states of a call's machines.
 * @property {string} state that of the call's own machine
 * @property {Role[]} legs the legs that are connected
 * @property {Record<string, string>} children states of its child machines by id; those of children that ended stay
 */

/** @type {Snapshot} Before the first event. */
export const NOTHING_YET = { state: '', legs: [], children: {} }

/**
 * The state that a machine has changed to; `actor` is `call` or the id of a child. Undefined for other events.
 * @param {Pick<CallEvent, 'kind' | 'data'>} event
 * @returns {{ actor: string, state: string } | undefined}
 */
export function stateChangeOf({ kind, data }) {
  if (kind !== 'state' || typeof data !== 'object' || data === null) return undefined
  const { actor, state } = /** @type {{ actor?: unknown, state?: unknown }} */ (data)
  return typeof actor === 'string' && typeof state === 'string' ? { actor, state } : undefined
}

/**
 * @param {Snapshot} snapshot
 * @param {CallEvent} event
 * @returns {Snapshot}
 */
export function snapshotAfter(snapshot, event) {
  const { kind, leg } = event
  const others = snapshot.legs.filter((one) => one !== leg)
  if (kind === 'leg.connected' && leg) return { ...snapshot, legs: [...others, leg] }
  if (kind === 'leg.closed' && leg) return { ...snapshot, legs: others }
  const change = stateChangeOf(event)
  if (!change) return snapshot
  const { actor, state } = change
  if (actor === 'call') return { ...snapshot, state }
  return { ...snapshot, children: { ...snapshot.children, [actor]: state } }
}

/**
 * @typedef {object} CallLook What a list shows of a call, as far as events tell it.
 * @property {string} state as `reaching.searching` or `concluding.farewell`; `ended` when it is over
 * @property {string | null} endedAt ISO 8601
 * @property {string | null} outcome
 * @property {boolean} awaitingVisitor
 * @property {Snapshot | null} snapshot
 */

/**
 * @template {CallLook} Look
 * @param {Look} call
 * @param {CallEvent & { at: string }} event
 * @returns {Look}
 */
export function callAfter(call, event) {
  const { kind, data, at } = event
  if (kind === 'restored') return { ...call, awaitingVisitor: false }
  if (kind === 'ended') {
    const { outcome } = /** @type {{ outcome: string }} */ (data)
    return { ...call, state: 'ended', endedAt: at, outcome, awaitingVisitor: false }
  }
  const before = call.snapshot ?? { ...NOTHING_YET, state: call.state }
  const snapshot = snapshotAfter(before, event)
  if (snapshot === before) return call
  return { ...call, state: snapshot.state === before.state ? call.state : snapshot.state, snapshot }
}
