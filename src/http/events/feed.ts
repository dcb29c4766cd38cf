import { eventsAfter, lastEventId, type PlacedEvent } from '../../calls/index.ts'
import { asPorteiroError, reasonOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import type { Database } from '../../platform/postgres/index.ts'

/** ms between two looks while somebody watches; the journal itself writes each 100 ms. */
const LOOK_MS = 150
/** ms while the database is away. */
const RETRY_MS = 1000
/** Events that one look takes. */
const LOOK_ROWS = 1000
/** ms in which a call's own row follows its first event; an event without it is nobody's as long. */
const ROW_MS = 2000

export interface EventFeed {
  /** Hears of events in their order from now on, of all tenants, until the returned function is called. */
  subscribe(listener: (events: readonly PlacedEvent[]) => void): () => void
  /** The last event that was told; undefined before the first look of those that listen now. */
  position(): number | undefined
  /** Resolves with the position once there is one, or when the feed is closed. */
  ready(): Promise<void>
  close(): void
}

/**
 * The events of all calls on all nodes, as Postgres has them: one reader however many listen, and none while nobody does.
 * A look each 150 ms costs less than a connection for LISTEN, and is right after every kind of failure.
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
      if (away) log.info('events are told again')
      away = false
    } catch (error) {
      if (!away) {
        log.warn({ code: asPorteiroError(error).code, reason: reasonOf(error) }, 'events cannot be told')
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
      // whoever comes next begins with their own present
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
