import type { ServerResponse } from 'node:http'
import { eventsAfter, type Levels, lastEventId, type PlacedEvent } from '../../calls/index.ts'
import { reasonOf } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { delay } from '../../platform/time.ts'
import { type EventFeed, settled } from './feed.ts'

/** Maximum unread bytes of a client. Clients that wait for the same events share them. */
const UNREAD_BYTES = 1024 * 1024
/** Maximum number of replayed events; a client that missed more must read the lists. */
const REPLAYED = 10_000
/** Events per query. */
const PAGE = 500
/** Limit in ms for a client to take a page of past events. */
const DRAIN_MS = 30_000
/** Delay in ms before looking again for a call that is not written yet. */
const UNSETTLED_MS = 150
/** Delay in ms after which a browser reconnects. */
const RETRY_MS = 2000

interface EventClientOptions {
  response: ServerResponse
  database: Database
  feed: EventFeed
  log: Logger
  /** Null: of the configuration. */
  keyId: string | null
  /** Null: every tenant. */
  tenantId: string | null
  callId: string | undefined
  /** The client's last event; undefined: start with new events. */
  after: number | undefined
  wantsLevels: boolean
}

export type EventClient = ReturnType<typeof createEventClient>

/** Encoded once: the same bytes for every client. */
const encoded = new WeakMap<PlacedEvent, Buffer>()

/**
 * One client of `GET /api/events`. It gets missed events first, at its own speed, then new ones. A client that does not
 * read is disconnected, so that it only affects its own stream.
 */
export function createEventClient(options: EventClientOptions) {
  const { response, database, feed, log, tenantId, callId, wantsLevels } = options
  let position: number | undefined
  let unsubscribe: (() => void) | undefined
  let ended = false
  const ending = new AbortController()

  const wants = (event: PlacedEvent) =>
    (tenantId === null || event.tenantId === tenantId) && (callId === undefined || event.callId === callId)

  const send = (bytes: Buffer | string): boolean => {
    if (ended) return false
    const room = response.write(bytes)
    if (response.writableLength <= UNREAD_BYTES) return room
    log.warn({ code: 'VIEWER_SLOW', tenant: tenantId }, 'a reader of events did not read and was cut')
    close()
    return false
  }

  /** Sends events in one packet, without a copy per client. False: the client should first read what it has. */
  const sendAll = (events: readonly PlacedEvent[]): boolean => {
    response.cork()
    let room = true
    for (const event of events) room = send(encode(event))
    response.uncork()
    return room
  }

  const tell = (events: readonly PlacedEvent[]) => {
    const fresh = events.filter((event) => event.id > (position ?? 0) && wants(event))
    sendAll(fresh)
    position = Math.max(position ?? 0, events.at(-1)?.id ?? 0)
  }

  const close = () => {
    if (ended) return
    ended = true
    ending.abort()
    unsubscribe?.()
    // unread data is dropped with its socket
    if (response.writableLength > 0) response.destroy()
    else response.end()
  }

  /** Sends missed events page by page, until the client has caught up with the feed. */
  const catchUp = async (from: number) => {
    const last = await lastEventId(database)
    position = from
    // an unknown id is from a database that was recreated
    if (from > last || last - from > REPLAYED) {
      position = last
      send('event: reset\ndata: {}\n\n')
    }
    while (!ended) {
      // the following query includes everything up to this position
      const sentUntil = feed.position() ?? 0
      const found = await eventsAfter(database, {
        after: position,
        tenantId: tenantId ?? undefined,
        limit: PAGE,
      })
      const missed = settled(found)
      if (missed.length === 0 && found.length > 0) await delay(UNSETTLED_MS, ending.signal)
      else if (missed.length > 0) {
        position = missed.at(-1)!.id
        if (!sendAll(missed.filter(wants)) && !(await drained(response))) return close()
      } else {
        position = Math.max(position, sentUntil)
        if ((feed.position() ?? 0) <= position) return
      }
    }
  }

  const start = async () => {
    send(`retry: ${RETRY_MS}\n\n`)
    let behind = true
    unsubscribe = feed.subscribe((events) => behind || tell(events))
    await feed.ready()
    if (options.after !== undefined) await catchUp(options.after)
    behind = false
    position ??= feed.position() ?? 0
    // with the id, a client without events can resume from this moment
    send(`id: ${position}\nevent: open\ndata: {}\n\n`)
  }

  response.on('error', close)
  response.once('close', close)
  start().catch((error) => {
    // it reconnects with its last id
    log.warn({ reason: reasonOf(error) }, 'a reader of events could not be served')
    close()
  })

  return {
    keyId: options.keyId,
    wantsLevels,
    beat: () => void send(': \n\n'),
    levels(measured: readonly Levels[]) {
      // levels are momentary: a slow client does not get them
      if (ended || response.writableNeedDrain) return
      const calls = measured
        .filter(
          (one) => (tenantId === null || one.tenantId === tenantId) && (callId ?? one.callId) === one.callId,
        )
        .map(({ tenantId: _, ...one }) => one)
      send(`event: levels\ndata: ${JSON.stringify({ calls })}\n\n`)
    },
    close,
  }
}

function encode(event: PlacedEvent): Buffer {
  let bytes = encoded.get(event)
  if (bytes === undefined) {
    const { id, ...rest } = event
    bytes = Buffer.from(`id: ${id}\nevent: call\ndata: ${JSON.stringify({ id: String(id), ...rest })}\n\n`)
    encoded.set(event, bytes)
  }
  return bytes
}

/** True if a response can take more; false if it is closed, or took too long. */
function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (open: boolean) => {
      clearTimeout(timer)
      response.off('drain', onDrain).off('close', onClose)
      resolve(open)
    }
    const onDrain = () => finish(true)
    const onClose = () => finish(false)
    const timer = setTimeout(onClose, DRAIN_MS)
    response.once('drain', onDrain).once('close', onClose)
    if (!response.writableNeedDrain) finish(!response.destroyed)
  })
}
