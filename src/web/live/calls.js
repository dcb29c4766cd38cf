import { get, withQuery } from '../api.js'
import { effect, signal } from '../lib.js'
import { callAfter } from './call-fold.js'
import { every, now } from './clock.js'
import { onCallEvent, onGap } from './feed.js'

/** ms that an ended call stays among the live ones, so that its end is seen where it was. */
const LINGER_MS = 10_000
/** ms that a reading of the lists waits for more events. */
const SETTLE_MS = 250
/** ms between two readings while there are calls: that the process of a call was killed is no event. */
const READ_MS = 10_000
const RECENT = 50

/** @typedef {import('../api-types.d.ts').ListedCall} ListedCall */
/** @typedef {ListedCall & { leavesAt?: number }} ShownCall `leavesAt`: ms since 1970, of a call that has ended. */

/** @type {import('../lib.js').Signal<ShownCall[]>} Live calls, the longest first: a call that arrives moves none. */
export const calls = signal([])
/** @type {import('../lib.js').Signal<ListedCall[]>} Ended calls, the latest first. */
export const recent = signal([])

/** @type {string | null | undefined} The cursor of the calls before those in `recent`. */
let moreRecent

onGap(refresh)
onCallEvent((event) => {
  const { callId, kind, data } = event
  if (kind === 'started' && !calls.value.some(({ id }) => id === callId))
    calls.value = [...calls.value, begun(event)]
  else if (calls.value.some(({ id }) => id === callId))
    calls.value = calls.value.map((call) => (call.id === callId ? next(call, event) : call))
  // the list says the rest a moment later
  if (
    /^(started|restored|ended|resident\.wanted|understood|rule)$/.test(kind) ||
    (kind === 'state' && data['actor'] === 'call')
  )
    refresh()
})

/**
 * @param {ShownCall} call
 * @param {import('../api-types.d.ts').CallEvent} event
 */
function next(call, event) {
  const after = callAfter(call, event)
  return event.kind === 'ended' ? { ...after, leavesAt: Date.now() + LINGER_MS } : after
}

/**
 * A call that the list does not have yet.
 * @param {import('../api-types.d.ts').CallEvent} event
 * @returns {ShownCall}
 */
function begun({ callId, tenantId, data, at }) {
  return {
    id: callId,
    tenantId: tenantId ?? '',
    nodeId: '',
    gate: typeof data['gate'] === 'string' ? data['gate'] : null,
    unitId: null,
    unitNumber: null,
    state: 'attending',
    startedAt: at,
    endedAt: null,
    outcome: null,
    reason: null,
    decision: null,
    durations: null,
    awaitingVisitor: false,
    snapshot: { state: 'attending', legs: ['visitor'], children: {} },
  }
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let settling
/** Reads both lists, at most once a moment. */
function refresh() {
  if (settling !== undefined) return
  settling = setTimeout(() => {
    settling = undefined
    void readLists()
  }, SETTLE_MS)
}

let reads = 0
async function readLists() {
  const mine = ++reads
  try {
    /** @type {import('../api-types.d.ts').Page<ListedCall>[]} */
    const [live, ended] = await Promise.all([
      get('/api/calls?state=live&limit=200'),
      get(withQuery('/api/calls', { state: 'ended', limit: RECENT })),
    ])
    // an answer that was overtaken is old
    if (mine !== reads || !live || !ended) return
    calls.value = merged(live.items, ended.items)
    recent.value = keepOlder(ended.items, recent.value)
    moreRecent ??= ended.next
  } catch {
    // the health says what is wrong, and the next event asks again
  }
}

/**
 * What the server has, in its order of beginning, and what ended a moment ago where it was.
 * @param {ListedCall[]} found
 * @param {ListedCall[]} ended
 * @returns {ShownCall[]}
 */
function merged(found, ended) {
  const over = new Map(ended.map((call) => [call.id, call]))
  const byId = new Map(found.map((call) => [call.id, call]))
  const staying = calls.value.flatMap((call) => {
    const fresh = byId.get(call.id)
    byId.delete(call.id)
    if (call.leavesAt) return call.leavesAt > Date.now() ? [{ ...call, ...over.get(call.id) }] : []
    // a call that began a moment ago may not be written yet
    if (!fresh) return Date.now() - Date.parse(call.startedAt) < LINGER_MS ? [call] : []
    return [fresh]
  })
  const coming = [...byId.values()].sort((one, other) => one.startedAt.localeCompare(other.startedAt))
  return [...staying, ...coming]
}

/**
 * @param {ListedCall[]} fresh
 * @param {ListedCall[]} known
 */
function keepOlder(fresh, known) {
  const ids = new Set(fresh.map(({ id }) => id))
  const oldest = fresh.at(-1)?.startedAt ?? ''
  return [...fresh, ...known.filter(({ id, startedAt }) => !ids.has(id) && startedAt < oldest)]
}

let reading = false
/** Adds the ended calls before those that are known. */
export async function readOlder() {
  if (!moreRecent || reading) return
  reading = true
  try {
    /** @type {import('../api-types.d.ts').Page<ListedCall>} */
    const page = await get(withQuery('/api/calls', { state: 'ended', limit: RECENT, cursor: moreRecent }))
    moreRecent = page.next
    const ids = new Set(recent.value.map(({ id }) => id))
    recent.value = [...recent.value, ...page.items.filter(({ id }) => !ids.has(id))]
  } catch {
    // asked again when the end is reached again
  } finally {
    reading = false
  }
}

every(READ_MS, () => {
  if (document.visibilityState === 'visible' && calls.value.length > 0) refresh()
})

effect(() => {
  const at = now.value
  const left = calls.peek().filter(({ leavesAt }) => !leavesAt || leavesAt > at)
  if (left.length < calls.peek().length) calls.value = left
})
