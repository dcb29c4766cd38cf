import pg from 'pg'
import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { withTimeout } from '../time.ts'
import type { Database, Querier } from './database.ts'

/** Pause between attempts to reconnect in ms: the first, and the longest. */
const RETRY_MS = 100
const RETRY_MAX_MS = 5000
/** Interval of heartbeat queries in ms, which detect a silently broken connection. */
const PULSE_MS = 5000
/** Limit in ms for the answer to a heartbeat. */
const PULSE_TIMEOUT_MS = 5000
/** Limit in ms for Postgres to close the connection. */
const CLOSE_MS = 1000

/** The channel that every process of a schema listens on. A name has at most 63 characters. */
export const signalChannel = (schema: string): string => `${schema.slice(0, 54)}_signals`

/** Tells a word about a topic to every process of this schema, as a part of the transaction if there is one. */
export async function signal(querier: Querier, topic: string, word = ''): Promise<void> {
  await querier.query(`select pg_notify(left(current_schema(), 54) || '_signals', $1)`, [`${topic} ${word}`])
}

interface ListenerOptions {
  database: Database
  channels: readonly string[]
  /** Name of the connection, as Postgres lists it. */
  name?: string
  onNotification: (channel: string, payload: string) => void
  /** Called each time it starts to listen, also the first time: earlier notifications were missed. */
  onConnected: () => void
  log: Logger
}

/**
 * Listens on a separate connection, which reconnects indefinitely. Rejects only when the first connection
 * fails. It does not work through a pooler in transaction mode.
 */
export async function openListener(options: ListenerOptions): Promise<{ close(): Promise<void> }> {
  const { database, channels, name, onNotification, onConnected, log } = options
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let tries = 0
  let closed = false

  const connect = async () => {
    // the pool's own options, including its socket factory: the database closes remaining sockets
    const next = new pg.Client({ ...database.pool.options, keepAlive: true })
    // `end` follows an error; without a listener the error would end the process
    next.on('error', () => {})
    next.on('notification', ({ channel, payload }) => onNotification(channel, payload ?? ''))
    client = next
    try {
      await next.connect()
      next.once('end', () => lost(next, 'the connection ended'))
      // not as an option, because DATABASE_URL would win over it
      if (name) await next.query(`select set_config('application_name', $1, false)`, [name])
      for (const channel of channels) await next.query(`listen ${next.escapeIdentifier(channel)}`)
    } catch (error) {
      next.removeAllListeners('end')
      await release(next)
      throw error
    }
    if (closed) return release(next)
    tries = 0
    pulse(next)
    onConnected()
  }

  const lost = (which: pg.Client, reason: string) => {
    if (closed || client !== which) return
    log.warn({ reason }, 'the listening connection was lost')
    client = undefined
    clearTimeout(timer)
    void release(which)
    again()
  }

  const again = () => {
    if (closed) return
    const ms = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(tries++, 10))
    timer = setTimeout(() => {
      connect().catch((error) => {
        log.debug({ reason: reasonOf(error) }, 'listening again failed')
        again()
      })
    }, ms)
  }

  const pulse = (which: pg.Client) => {
    timer = setTimeout(async () => {
      const alive = await withTimeout(
        PULSE_TIMEOUT_MS,
        which.query('select 1').then(
          () => true,
          () => false,
        ),
      )
      if (closed || client !== which) return
      if (alive) pulse(which)
      else lost(which, 'no answer')
    }, PULSE_MS)
  }

  await connect()
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      if (client) await release(client)
    },
  }
}

async function release(client: pg.Client): Promise<void> {
  await withTimeout(
    CLOSE_MS,
    client.end().catch(() => {}),
  )
}
