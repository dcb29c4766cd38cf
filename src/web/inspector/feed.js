import { urlOf } from '../api.js'
import { signal } from '../lib.js'

/**
 * @template Value
 * @typedef {import('../lib.js').Signal<Value>} Signal
 */
/**
 * @typedef {object} Actor
 * @property {string} id
 * @property {string} name of its root
 * @property {string} kind of its root: call or a part of the service
 * @property {string | null} parent null: it is the root
 * @property {string} actor its id within its parent
 * @property {string | null} machine null: it has no states
 * @property {string} state
 * @property {string} [was] the state before
 * @property {string} status
 * @property {unknown} [context]
 * @property {unknown} [output]
 * @property {string[]} [sendable]
 * @property {Record<string, any>} facts
 * @property {boolean} [ended]
 */
/** @typedef {{ id: string, name: string, at: string, from: string | null, event: { type: string }, state?: string }} Happening */
/** @typedef {Pick<Actor, 'id' | 'name' | 'state' | 'status' | 'context' | 'output'> & { on: string }} Moved */
/**
 * @typedef {{ type: 'hello', masked: boolean } | { type: 'actor' } & Actor | { type: 'event' } & Happening | { type: 'snapshot' } & Moved |
 *   { type: 'ended', name: string } | { type: 'sent', ref: number } | { type: 'refused', ref: number, error: { code: string, message: string } }} FeedMessage
 */

/** Events of the watched root that are kept. */
const KEPT = 500
/** ms before the feed is tried again, and the longest that grows to. */
const AGAIN_MS = 1000
const AGAIN_MAX_MS = 15_000

/**
 * connecting, open, lost
 * @type {Signal<'connecting' | 'open' | 'lost'>}
 */
export const connection = signal('connecting')
/**
 * The feed's greeting: whether texts are masked, and what this session may do.
 * @type {Signal<{ masked: boolean } | null>}
 */
export const hello = signal(null)
/**
 * Root actors that live, by name.
 * @type {Signal<Map<string, Actor>>}
 */
export const roots = signal(new Map())
/**
 * The root that is watched, its actors by id, and its events, the latest last.
 * @type {Signal<string | null>}
 */
export const watched = signal(null)
/** @type {Signal<Map<string, Actor>>} */
export const actors = signal(new Map())
/** @type {Signal<Happening[]>} */
export const events = signal([])
/**
 * The last refusal.
 * @type {Signal<{ code: string } | null>}
 */
export const refusal = signal(null)

/** @type {WebSocket | undefined} */
let socket
let again = AGAIN_MS
let refs = 0
/** @type {Map<number, { resolve: () => void, reject: (error: { code: string, message: string }) => void }>} */
const waiting = new Map()

export function connect() {
  connection.value = 'connecting'
  socket = new WebSocket(
    `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${urlOf('/api/inspector')}`,
  )
  socket.addEventListener('message', ({ data }) => {
    // one frame is many messages, and one drawing
    for (const message of JSON.parse(data)) take(message)
    publish()
  })
  socket.addEventListener('close', ({ code, reason }) => {
    connection.value = 'lost'
    if (code >= 4000) refusal.value = { code: reason }
    for (const { reject } of waiting.values()) reject({ code: 'OFFLINE', message: '' })
    waiting.clear()
    setTimeout(connect, again)
    again = Math.min(AGAIN_MAX_MS, again * 2)
  })
}

/**
 * Follows all of one root, or of none.
 * @param {string | null} name
 */
export function watch(name) {
  watched.value = name
  fresh.actors = new Map()
  fresh.events = []
  publish()
  say({ type: 'watch', name })
}

/**
 * Resolves when it was sent; rejects with the error that refused it.
 * @param {string} name
 * @param {string} id
 * @param {object} event
 * @returns {Promise<void>}
 */
export function send(name, id, event) {
  const ref = ++refs
  return new Promise((resolve, reject) => {
    waiting.set(ref, { resolve, reject })
    say({ type: 'send', ref, name, id, event })
  })
}

/** @param {object} message */
function say(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
}

/** @type {{ roots: Map<string, Actor>, actors: Map<string, Actor>, events: Happening[] }} */
const fresh = { roots: new Map(), actors: new Map(), events: [] }

function publish() {
  roots.value = new Map(fresh.roots)
  actors.value = new Map(fresh.actors)
  events.value = fresh.events.slice()
}

/** @param {FeedMessage} message */
function take(message) {
  switch (message.type) {
    case 'hello':
      again = AGAIN_MS
      connection.value = 'open'
      hello.value = message
      fresh.roots = new Map()
      if (watched.value !== null) watch(watched.value)
      return
    case 'actor':
      if (message.parent === null)
        fresh.roots.set(message.name, { ...fresh.roots.get(message.name), ...message })
      if (message.name === watched.value) fresh.actors.set(message.id, message)
      return
    case 'event':
      if (message.name === watched.value) keep(message)
      return
    case 'snapshot':
      return move(message)
    case 'ended': {
      const root = fresh.roots.get(message.name)
      if (!root) return
      fresh.roots.delete(message.name)
      if (message.name === watched.value)
        fresh.actors.set(root.id, { ...root, ...fresh.actors.get(root.id), ended: true })
      return
    }
    case 'sent':
    case 'refused': {
      const asked = waiting.get(message.ref)
      waiting.delete(message.ref)
      if (message.type === 'sent') asked?.resolve()
      else if (asked) asked.reject(message.error)
      return
    }
  }
}

/** @param {Happening} event */
function keep(event) {
  fresh.events.push(event)
  if (fresh.events.length > KEPT) fresh.events.splice(0, fresh.events.length - KEPT)
}

/** @param {Moved} message */
function move({ id, name, state, status, context, output, on }) {
  const root = fresh.roots.get(name)
  if (root?.id === id) fresh.roots.set(name, { ...root, state, status })
  const actor = fresh.actors.get(id)
  if (!actor || name !== watched.value) return
  const changed = actor.state !== state
  const was = changed ? actor.state : actor.was
  fresh.actors.set(id, { ...actor, state, status, context, output, ...(was !== undefined && { was }) })
  const cause = fresh.events.findLast((event) => event.id === id && event.event.type === on)
  if (cause && changed) cause.state = state
}
