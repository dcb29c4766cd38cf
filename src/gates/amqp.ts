import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { reasonOf } from '../platform/errors.ts'
import { undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'

/** ms for connecting with the handshake, and for one command until its confirmation. */
const CONNECT_MS = 5000
const PUBLISH_MS = 8000
/** ms that closing waits for the broker. */
const CLOSE_MS = 1000
/** s between heartbeats, unless the URL says otherwise. */
const HEARTBEAT_S = 10
/** RabbitMQ's direct reply-to: replies arrive on the channel that published, without a queue. */
const REPLIES = 'amq.rabbitmq.reply-to'

export interface GatePublisher {
  /**
   * Resolves when the exchange has routed the message and the broker has taken it. Rejects with GATE_UNREACHABLE or
   * GATE_UNROUTABLE. After `expirationMs` the broker drops the message if nobody has fetched it.
   */
  publish(
    exchange: string,
    routingKey: string,
    body: Buffer,
    options: { messageId: string; expirationMs: number },
  ): Promise<void>
  close(): Promise<void>
}

/** Called with a controller's reply to a command; `id` is the command's, from the correlation id. */
export type GateReply = (id: string, body: string) => void

interface Session {
  model: ChannelModel
  channel: ConfirmChannel
  /** Exchanges that exist. */
  known: Set<string>
  /** Ids of messages that came back unrouted. */
  returned: Set<string>
  isBroken: () => boolean
  /** During an alarm the broker reads nothing: commands would wait, and open gates when the alarm is over. */
  isBlocked: () => boolean
  /** Destroys the connection, including data that was written and not sent. */
  drop(reason: unknown): void
}

interface Command {
  exchange: string
  routingKey: string
  body: Buffer
  id: string
  /** By performance.now(). */
  until: number
  givenUp: boolean
  /** The session it was written to. */
  session?: Session
}

/**
 * Commands to gates over RabbitMQ: mandatory, confirmed, expiring. The connection is made at the first command and again
 * after it broke. A late command is useless, so nothing is kept for later. `expiration` counts from when the broker reads the
 * command; a command that is not confirmed in time therefore ends its connection.
 */
export function createGatePublisher({
  url,
  onReply,
  log,
}: {
  /** AMQP_URL. */
  url: string
  onReply?: GateReply
  log: Logger
}): GatePublisher {
  let session: Promise<Session> | undefined
  let closed = false

  /** `onGone` is called when the connection breaks, perhaps while it is being opened. */
  const open = async (onGone: () => void): Promise<Session> => {
    const ending = new AbortController()
    // net.connect takes the signal, which amqplib's types do not know; aborting it destroys the socket at any time
    const options = { noDelay: true, timeout: CONNECT_MS, signal: ending.signal }
    const model = await connect(withHeartbeat(url), options).catch((error) => {
      onGone()
      throw error
    })
    let broken = false
    let blocked = false
    const drop = (error?: unknown) => {
      if (broken) return
      broken = true
      onGone()
      if (!closed) log.warn({ reason: error ? reasonOf(error) : 'closed' }, 'lost the connection for gates')
      ending.abort()
    }
    model.on('error', drop).on('close', drop)
    model.on('blocked', () => {
      blocked = true
    })
    model.on('unblocked', () => {
      blocked = false
    })
    try {
      const channel = await model.createConfirmChannel()
      const returned = new Set<string>()
      channel.on('error', drop).on('close', drop)
      channel.on('return', ({ properties }) => returned.add(String(properties.messageId)))
      // must be consumed before the first command, on the same channel
      await channel.consume(
        REPLIES,
        (reply) => {
          const id: unknown = reply?.properties.correlationId
          if (reply && typeof id === 'string') onReply?.(id, reply.content.toString('utf8'))
        },
        { noAck: true },
      )
      const state = { isBroken: () => broken, isBlocked: () => blocked, drop }
      return { model, channel, known: new Set(), returned, ...state }
    } catch (error) {
      drop(error)
      throw error
    }
  }

  const current = (): Promise<Session> => {
    if (session) return session
    const opening: Promise<Session> = open(() => {
      // another may have been opened in its place
      if (session === opening) session = undefined
    })
    session = opening
    return opening
  }

  /** On a channel of its own: RabbitMQ closes the one that names an exchange which is not there. */
  const check = async ({ model, known }: Session, exchange: string): Promise<void> => {
    if (known.has(exchange)) return
    const channel = await model.createChannel()
    channel.on('error', () => {})
    await channel.checkExchange(exchange)
    await channel.close()
    known.add(exchange)
  }

  const confirmed = ({ channel, returned }: Session, { exchange, routingKey, body, id, until }: Command) =>
    new Promise<void>((resolve, reject) => {
      const options = {
        mandatory: true,
        persistent: true,
        contentType: 'application/json',
        messageId: id,
        correlationId: id,
        replyTo: REPLIES,
        // the time left now: connecting took some of it
        expiration: Math.max(1, Math.floor(until - performance.now())),
        type: 'gate.open',
      }
      channel.publish(exchange, routingKey, body, options, (error) => {
        // an unroutable message is returned first, and confirmed all the same
        const lost = returned.delete(id)
        if (error) reject(error)
        else if (lost) reject(undelivered('GATE_UNROUTABLE', { exchange, routingKey }))
        else resolve()
      })
    })

  const send = async (command: Command): Promise<true> => {
    const opened = await current()
    if (opened.isBlocked()) throw new Error('the broker takes nothing for now')
    await check(opened, command.exchange)
    // the caller gave it up and may have started another attempt
    if (command.givenUp || performance.now() >= command.until) return true
    command.session = opened
    await confirmed(opened, command)
    return true
  }

  return {
    async publish(exchange, routingKey, body, { messageId: id, expirationMs }) {
      const until = performance.now() + expirationMs
      const command: Command = { exchange, routingKey, body, id, until, givenUp: false }
      const limit = Math.min(PUBLISH_MS, expirationMs)
      try {
        if (await withTimeout(limit, send(command))) return
        command.givenUp = true
        const silent = new Error(`no confirmation within ${Math.round(limit)} ms`)
        command.session?.drop(silent)
        throw silent
      } catch (error) {
        if ((error as { code?: unknown }).code === 'GATE_UNROUTABLE') throw error
        throw undelivered('GATE_UNREACHABLE', { reason: reasonOf(error).slice(0, 200) }, { cause: error })
      }
    },
    async close() {
      closed = true
      const opened = await session?.catch(() => undefined)
      if (!opened || opened.isBroken()) return
      let timer: NodeJS.Timeout | undefined
      const limit = new Promise((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS)
      })
      await Promise.race([opened.model.close().catch(() => {}), limit])
      clearTimeout(timer)
      // a broker that hangs never closes the connection
      opened.drop(undefined)
    },
  }
}

function withHeartbeat(url: string): string {
  const address = new URL(url)
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(HEARTBEAT_S))
  return address.href
}
