import { may, resume, session, urlOf, withQuery } from '../api.js'
import { effect, signal } from '../lib.js'

/** ms before the session is looked at where the service has closed the stream for good. */
const RETRY_MS = 3000

/** @typedef {import('../api-types.d.ts').CallEvent} CallEvent */
/** @typedef {import('../api-types.d.ts').Levels} Levels */

/** @type {import('../lib.js').Signal<'connecting' | 'open' | 'lost'>} */
export const connection = signal('connecting')

/** @type {Set<(event: CallEvent) => void>} */
const eventListeners = new Set()
/** @type {Set<() => void>} */
const gapListeners = new Set()
/** @type {((levels: Levels[]) => void) | undefined} */
let onLevels
/** @type {EventSource | undefined} */
let source
/** @type {string | undefined} The last event that came. */
let lastId

/**
 * Every event of every call; returns what ends it.
 * @param {(event: CallEvent) => void} listener
 */
export function onCallEvent(listener) {
  eventListeners.add(listener)
  return () => void eventListeners.delete(listener)
}

/**
 * Called whenever events may be missing: lists must be read again.
 * @param {() => void} listener
 */
export function onGap(listener) {
  gapListeners.add(listener)
}

/**
 * From now on levels come too, five times a second, or with undefined no more.
 * @param {((levels: Levels[]) => void) | undefined} listener
 */
export function wantLevels(listener) {
  onLevels = listener
  connect()
}

/** The events of all calls. The browser connects again by itself, behind the last event it had. */
function connect() {
  source?.close()
  if (!session.peek()) return
  const opened = new EventSource(
    urlOf(withQuery('/api/events', { ...(onLevels && { levels: 'true' }), after: lastId })),
  )
  source = opened
  opened.onopen = () => {
    connection.value = 'open'
    missed()
  }
  opened.onerror = () => {
    connection.value = 'lost'
    // closed for good: the session may be over
    if (opened.readyState === EventSource.CLOSED) retry()
  }
  opened.addEventListener('call', ({ data, lastEventId }) => {
    if (lastEventId) lastId = lastEventId
    /** @type {CallEvent} */
    const event = JSON.parse(data)
    for (const listener of eventListeners) listener(event)
  })
  opened.addEventListener('levels', ({ data }) => onLevels?.(JSON.parse(data).calls))
  opened.addEventListener('reset', () => {
    lastId = undefined
    missed()
  })
}

function missed() {
  for (const listener of gapListeners) listener()
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let retrying
function retry() {
  clearTimeout(retrying)
  retrying = setTimeout(async () => {
    const before = session.peek()
    await resume().catch(() => {})
    // a session that was found anew connects by the effect below
    if (session.peek() === before) connect()
  }, RETRY_MS)
}

effect(() => {
  if (!session.value || !may('read')) {
    source?.close()
    source = undefined
    return
  }
  connect()
})
