import { get, may, resume, session, withQuery } from './api.js'
import { look } from './health.js'
import { batch, effect, signal } from './lib.js'

/** ms that an ended call stays among the live ones, so that its end is seen where it was. */
const LINGER_MS = 10_000
/** ms that a reading of the list waits for company. */
const SETTLE_MS = 250
/** ms between two looks at the service's health. */
const HEALTH_MS = 10_000
const RECENT = 50

/** Live calls, the longest first: one that arrives moves none. */
export const calls = signal([])
/** Ended calls, the latest first. */
export const recent = signal([])
/** `connecting`, `open` or `lost`. */
export const connection = signal('connecting')
/** dBFS of the legs by call id, while somebody watches. */
export const levels = signal(new Map())
/** Moves once a second. */
export const now = signal(Date.now())

const listeners = new Set()
const timers = {}
let source
let settling
let moreRecent

/** Hears of every event of every call; returns its end. */
export function onCallEvent(listener) {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

let watchers = 0
/** Levels come only while somebody looks at them; returns their end. */
export function watchLevels() {
  if (++watchers === 1) connect()
  return () => {
    if (--watchers > 0) return
    levels.value = new Map()
    connect()
  }
}

let lastId

/** The events of all calls. The browser connects again by itself, behind the last event it had. */
function connect() {
  source?.close()
  if (!session.value) return
  const opened = new EventSource(
    withQuery('/api/events', { ...(watchers > 0 && { levels: 'true' }), after: lastId }),
  )
  source = opened
  opened.onopen = () => {
    connection.value = 'open'
    refresh()
  }
  opened.onerror = () => {
    connection.value = 'lost'
    // closed for good: the session may be over
    if (opened.readyState === EventSource.CLOSED) retry()
  }
  opened.addEventListener('call', ({ data, lastEventId }) => {
    if (lastEventId) lastId = lastEventId
    take(JSON.parse(data))
  })
  opened.addEventListener('levels', ({ data }) => {
    levels.value = new Map(JSON.parse(data).calls.map((one) => [one.callId, one]))
  })
  opened.addEventListener('reset', () => {
    lastId = undefined
    refresh()
  })
}

let retrying
function retry() {
  clearTimeout(retrying)
  retrying = setTimeout(async () => {
    await resume().catch(() => {})
    if (session.value) connect()
  }, 3000)
}

/** What an event says at once; the list that is read a moment later says the rest. */
function take(event) {
  const { callId, kind, data, leg, at } = event
  batch(() => {
    if (kind === 'started' && !calls.value.some(({ id }) => id === callId)) {
      const call = {
        id: callId,
        tenantId: event.tenantId,
        gate: data.gate,
        state: 'attending',
        startedAt: at,
        unitNumber: null,
        awaitingVisitor: false,
      }
      calls.value = [
        ...calls.value,
        {
          ...call,
          endedAt: null,
          outcome: null,
          snapshot: { state: 'attending', legs: ['visitor'], children: {} },
        },
      ]
    }
    if (kind === 'restored') change(callId, (call) => ({ ...call, awaitingVisitor: false }))
    if (kind === 'state') change(callId, (call) => withState(call, data))
    if (kind === 'leg.connected')
      change(callId, (call) => withLegs(call, (legs) => [...new Set([...legs, leg])]))
    if (kind === 'leg.closed')
      change(callId, (call) => withLegs(call, (legs) => legs.filter((one) => one !== leg)))
    if (kind === 'ended') {
      change(callId, (call) => ({
        ...call,
        state: 'ended',
        endedAt: at,
        awaitingVisitor: false,
        outcome: data.outcome,
        leavesAt: Date.now() + LINGER_MS,
      }))
    }
  })
  for (const listener of listeners) listener(event)
  if (
    /^(started|restored|ended|resident\.wanted|understood|rule)$/.test(kind) ||
    (kind === 'state' && data.actor === 'call')
  )
    refresh()
}

function change(callId, how) {
  calls.value = calls.value.map((call) => (call.id === callId ? how(call) : call))
}

function withState(call, { actor, state }) {
  const snapshot = call.snapshot ?? { state: call.state, legs: [], children: {} }
  if (actor === 'call') return { ...call, state, snapshot: { ...snapshot, state } }
  return { ...call, snapshot: { ...snapshot, children: { ...snapshot.children, [actor]: state } } }
}

function withLegs(call, how) {
  const snapshot = call.snapshot ?? { state: call.state, legs: [], children: {} }
  return { ...call, snapshot: { ...snapshot, legs: how(snapshot.legs) } }
}

/** Reads both lists, at most once a moment. */
export function refresh() {
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
    const [live, ended] = await Promise.all([
      get('/api/calls?state=live&limit=200'),
      get(withQuery('/api/calls', { state: 'ended', limit: RECENT })),
    ])
    // an answer that was overtaken is old
    if (mine !== reads) return
    batch(() => {
      calls.value = merged(live.items, ended.items)
      recent.value = keepOlder(ended.items, recent.value)
      moreRecent ??= ended.next
    })
  } catch {
    // the health says what is wrong, and the next event asks again
  }
}

/** What the server has, in its order of beginning, and what ended a moment ago where it was. */
function merged(found, ended) {
  const over = new Map(ended.map((call) => [call.id, call]))
  const byId = new Map(found.map((call) => [call.id, call]))
  const staying = calls.value.flatMap((call) => {
    const fresh = byId.get(call.id)
    byId.delete(call.id)
    if (call.leavesAt) return call.leavesAt > Date.now() ? [{ ...call, ...over.get(call.id) }] : []
    // one that began a moment ago may not be written yet
    if (!fresh) return Date.now() - Date.parse(call.startedAt) < LINGER_MS ? [call] : []
    return [fresh]
  })
  const coming = [...byId.values()].sort((one, other) => one.startedAt.localeCompare(other.startedAt))
  return [...staying, ...coming]
}

function keepOlder(fresh, known) {
  const ids = new Set(fresh.map(({ id }) => id))
  const oldest = fresh.at(-1)?.startedAt ?? ''
  return [...fresh, ...known.filter(({ id, startedAt }) => !ids.has(id) && startedAt < oldest)]
}

let reading = false
/** The ended calls before those that are known. */
export async function readOlder() {
  if (!moreRecent || reading) return
  reading = true
  try {
    const { items, next } = await get(
      withQuery('/api/calls', { state: 'ended', limit: RECENT, cursor: moreRecent }),
    )
    moreRecent = next
    const ids = new Set(recent.value.map(({ id }) => id))
    recent.value = [...recent.value, ...items.filter(({ id }) => !ids.has(id))]
  } catch {
    // asked again when the end is reached again
  } finally {
    reading = false
  }
}

/** Everything that runs while somebody is logged in. */
effect(() => {
  const alive = Boolean(session.value)
  clearInterval(timers.second)
  clearInterval(timers.health)
  if (!alive || !may('read')) {
    source?.close()
    source = undefined
    return
  }
  connect()
  void look()
  timers.second = setInterval(second, 1000)
  timers.health = setInterval(() => {
    if (document.visibilityState !== 'visible') return
    void look()
    // that a call's process was killed is no event
    if (calls.value.length > 0) refresh()
  }, HEALTH_MS)
})

function second() {
  now.value = Date.now()
  if (calls.value.some(({ leavesAt }) => leavesAt <= now.value)) {
    calls.value = calls.value.filter(({ leavesAt }) => !leavesAt || leavesAt > now.value)
  }
}
