import pg from 'pg'
import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { withTimeout } from '../time.ts'
import type { Database } from './database.ts'

/** ms between two tries to connect again: the first, and the longest. */
const RETRY_MS = 100
const RETRY_MAX_MS = 5000
/** ms between two signs of life; a connection that died silently is noticed by it. */
const PULSE_MS = 5000
/** ms for an answer to one. */
const PULSE_TIMEOUT_MS = 5000
/** ms that closing waits for Postgres' goodbye. */
const CLOSE_MS = 1000

interface ListenerOptions {
  database: Database
  channels: readonly string[]
  /** Of the connection, as Postgres lists it. */
  name?: string
  onNotification: (channel: string, payload: string) => void
  /** Each time it listens, the first time too: what came meanwhile was missed. */
  onConnected: () => void
  log: Logger
}

/**
 * LISTEN on a connection of its own, which connects again for as long as it takes. Rejects only when the first connection
 * fails. A pooler in transaction mode cannot stand between.
 */
export async function openListener(options: ListenerOptions): Promise<{ close(): Promise<void> }> {
  const { database, channels, name, onNotification, onConnected, log } = options
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let tries = 0
  let closed = false

  const connect = async () => {
    // the pool's own options, its sockets' factory too: the database closes what is left open
    const next = new pg.Client({ ...database.pool.options, keepAlive: true })
    // an error is followed by the end; unheard it would end the process
    next.on('error', () => {})
    next.on('notification', ({ channel, payload }) => onNotification(channel, payload ?? ''))
    client = next
    try {
      await next.connect()
      next.once('end', () => lost(next, 'the connection ended'))
      // not as an option: what DATABASE_URL says would win over it
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
