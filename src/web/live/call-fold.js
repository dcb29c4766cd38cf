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

/**
 * @typedef {object} TriedAttempt One telephone that rang, or one question in writing. Moments are ISO 8601.
 * @property {string} id
 * @property {'call' | 'together' | 'operator' | 'whatsapp'} kind
 * @property {string | null} residentId null if the whole unit was asked in writing
 * @property {'calling' | 'ringing' | 'answered' | 'proving' | 'consulting' | 'talking' | 'releasing' | 'asked'} progress how far it came
 * @property {string | null} end why it is over; null while it is not. `elsewhere`: another telephone was answered first, `cancelled`: the
 *   search was over; the others are those of `attempt.ended`
 * @property {'authorized' | 'denied' | null} verdict what was decided by it
 * @property {string} beganAt
 * @property {string | null} rangAt when the PBX said that it rings
 * @property {string | null} answeredAt
 * @property {string | null} endedAt
 */

/** @typedef {CallEvent & { at: string | Date }} DatedEvent */

/** The states of an answered line that tell how far it came. */
const LINE = /^reaching\.answered\.(proving|consulting|talking|releasing)$/

/**
 * All attempts of a call by its journal, in the order in which they began.
 * @param {readonly DatedEvent[]} events
 * @returns {TriedAttempt[]}
 */
export function attemptsOf(events) {
  return events.reduce(attemptsAfter, /** @type {TriedAttempt[]} */ ([]))
}

/**
 * @param {TriedAttempt[]} attempts
 * @param {DatedEvent} event
 * @returns {TriedAttempt[]}
 */
export function attemptsAfter(attempts, event) {
  const { kind, at } = event
  const data = /** @type {Record<string, unknown>} */ (event.data ?? {})
  const now = new Date(at).toISOString()
  const id = String(data['attemptId'] ?? data['attempt'])
  switch (kind) {
    case 'attempt.began':
      return withAttempt(attempts, { ...data, id, now }, {})
    // a call of an older version has no earlier event of it
    case 'dial':
      return withAttempt(attempts, { id, residentId: data['contact'], now }, {})
    case 'telephone.ringing':
      return changed(attempts, (one) => one.id === id, { progress: 'ringing', rangAt: now })
    case 'telephone.answered':
      return changed(attempts, (one) => one.id === id && !one.answeredAt, {
        progress: 'answered',
        answeredAt: now,
      })
    case 'attempt.answered': {
      const others = over(attempts, (one) => one.id !== id && one.kind !== 'whatsapp', 'elsewhere', now)
      const { answeredAt = null } = attempts.find((one) => one.id === id) ?? {}
      return withAttempt(
        others,
        { ...data, id, now },
        { progress: 'answered', answeredAt: answeredAt ?? now },
      )
    }
    case 'attempt.ended': {
      const isDecided = data['end'] === 'decided'
      const decided = attempts.find((one) => one.id === id)?.verdict
      return withAttempt(
        attempts,
        { ...data, id, now },
        {
          end: String(data['end']),
          endedAt: now,
          verdict: isDecided ? (decided ?? null) : null,
        },
      )
    }
    case 'asked':
      return changed(attempts, (one) => one.kind === 'whatsapp' && one.end === null, { progress: 'asked' })
    case 'decided':
      return afterDecision(attempts, data, now)
    case 'state':
      return afterState(attempts, event, now)
    case 'ended':
    case 'lost':
      return over(attempts, () => true, 'cancelled', now)
    default:
      return attempts
  }
}

/**
 * @param {TriedAttempt[]} attempts
 * @param {{ id: string, kind?: unknown, residentId?: unknown, now: string }} found
 * @param {Partial<TriedAttempt>} change
 */
function withAttempt(attempts, { id, kind = 'call', residentId = null, now }, change) {
  if (attempts.some((one) => one.id === id)) return changed(attempts, (one) => one.id === id, change)
  const nothing = { end: null, verdict: null, rangAt: null, answeredAt: null, endedAt: null }
  const first = /** @type {TriedAttempt} */ ({
    id,
    kind,
    residentId,
    progress: 'calling',
    beganAt: now,
    ...nothing,
  })
  return [...attempts, { ...first, ...change }]
}

/**
 * @param {TriedAttempt[]} attempts
 * @param {(one: TriedAttempt) => boolean} isMeant
 * @param {Partial<TriedAttempt>} change
 */
function changed(attempts, isMeant, change) {
  if (!attempts.some(isMeant)) return attempts
  return attempts.map((one) => (isMeant(one) ? { ...one, ...change } : one))
}

/**
 * Ends the attempts that are open.
 * @param {TriedAttempt[]} attempts
 * @param {(one: TriedAttempt) => boolean} isMeant
 * @param {string} end of telephones; a question in writing had no answer
 * @param {string} now
 */
function over(attempts, isMeant, end, now) {
  const isOpen = (/** @type {TriedAttempt} */ one) => one.end === null && isMeant(one)
  const asked = changed(attempts, (one) => isOpen(one) && one.progress === 'asked', {
    end: 'unanswered',
    endedAt: now,
  })
  return changed(asked, isOpen, { end, endedAt: now })
}

/**
 * Whose decision it was: the one on the line, or those who were asked in writing, however long ago.
 * @param {TriedAttempt[]} attempts
 * @param {Record<string, unknown>} data
 * @param {string} now
 */
function afterDecision(attempts, { verdict, via }, now) {
  const isWritten = via === 'whatsapp'
  const isOnLine = via === 'key' || via === 'voice'
  const by = attempts.findLast(({ kind, answeredAt }) =>
    isWritten ? kind === 'whatsapp' : isOnLine && answeredAt !== null,
  )
  if (!by) return attempts
  const change = {
    verdict: /** @type {TriedAttempt['verdict']} */ (verdict),
    ...(isWritten && { end: 'decided', endedAt: now }),
  }
  return changed(attempts, (one) => one === by, change)
}

/**
 * @param {TriedAttempt[]} attempts
 * @param {DatedEvent} event
 * @param {string} now
 */
function afterState(attempts, event, now) {
  const change = stateChangeOf(event)
  if (change?.actor !== 'call') return attempts
  const [, progress] = LINE.exec(change.state) ?? []
  if (progress) {
    const isOnLine = (/** @type {TriedAttempt} */ one) => one.answeredAt !== null && one.end === null
    return changed(attempts, isOnLine, { progress: /** @type {TriedAttempt['progress']} */ (progress) })
  }
  // the visitor corrected the unit, or the visit is over: nobody is looked for any more
  const isSearchOver = change.state === 'attending' || change.state.startsWith('concluding')
  return isSearchOver ? over(attempts, ({ answeredAt }) => answeredAt === null, 'cancelled', now) : attempts
}
