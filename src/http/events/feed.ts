import { eventsAfter, lastEventId, type PlacedEvent } from '../../calls/index.ts'
import { asPorteiroError, reasonOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import type { Database } from '../../platform/postgres/index.ts'

/** Polling interval in ms while there are subscribers; the journal writes every 100 ms. */
const LOOK_MS = 150
/** Polling interval in ms while the database is down. */
const RETRY_MS = 1000
/** Events per poll. */
const LOOK_ROWS = 1000
/** Limit in ms for a call's row to follow its first event; until then the event has no tenant. */
const ROW_MS = 2000

export interface EventFeed {
  /** Calls the listener with new events of all tenants in order, until the returned function is called. */
  subscribe(listener: (events: readonly PlacedEvent[]) => void): () => void
  /** The last published event; undefined before the first poll for the current subscribers. */
  position(): number | undefined
  /** Resolves with the position once there is one, or when the feed is closed. */
  ready(): Promise<void>
  close(): void
}

/**
 * The events of all calls on all nodes, from Postgres: one reader for all subscribers, and none without subscribers.
 * A poll every 150 ms costs less than a connection for LISTEN, and is correct after every kind of failure.
 */
export function createEventFeed({ database, log }: { database: Database; log: Logger }): EventFeed {
  const listeners = new Set<(events: readonly PlacedEvent[]) => void>()
  let timer: NodeJS.Timeout | undefined
  let looking = false
  let position: number | undefined
  let begun = Promise.withResolvers<void>()
  let away = false
  let closed = false

  const look = async () => {
    looking = true
    let more = false
    try {
      position ??= await lastEventId(database)
      begun.resolve()
      const events = settled(await eventsAfter(database, { after: position, limit: LOOK_ROWS }))
      more = events.length === LOOK_ROWS
      if (events.length > 0) {
        position = events.at(-1)!.id
        for (const listener of listeners) listener(events)
      }
      if (away) log.info('events are published again')
      away = false
    } catch (error) {
      if (!away) {
        log.warn({ code: asPorteiroError(error).code, reason: reasonOf(error) }, 'events cannot be published')
      }
      away = true
    } finally {
      looking = false
      schedule(away ? RETRY_MS : more ? 0 : LOOK_MS)
    }
  }

  const schedule = (ms: number) => {
    clearTimeout(timer)
    timer = undefined
    if (closed || listeners.size === 0) {
      // the next subscriber starts with new events
      if (position !== undefined) begun = Promise.withResolvers()
      position = undefined
      return
    }
    timer = setTimeout(() => void look(), ms)
  }

  return {
    subscribe(listener) {
      listeners.add(listener)
      if (timer === undefined && !looking) void look()
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0 && !looking) schedule(0)
      }
    },
    position: () => position,
    ready: () => begun.promise,
    close() {
      closed = true
      begun.resolve()
      listeners.clear()
      clearTimeout(timer)
    },
  }
}

/** Up to the first event whose tenant is not known yet, but will be. */
export function settled(events: readonly PlacedEvent[]): readonly PlacedEvent[] {
  const waiting = events.findIndex(
    ({ tenantId, at }) => tenantId === null && Date.now() - at.getTime() < ROW_MS,
  )
  return waiting < 0 ? events : events.slice(0, waiting)
}
