import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { reasonOf } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { atMost } from '../../wait.ts'
import { undelivered } from '../undelivered.ts'

/** ms for the connection and its handshake, and for one command from its beginning to the confirmation. */
const CONNECT_MS = 5000
const PUBLISH_MS = 8000
/** ms that the broker has to say goodbye. */
const CLOSE_MS = 1000
/** s between heartbeats, unless the URL says otherwise. */
const HEARTBEAT_S = 10
/** RabbitMQ's direct reply-to: an answer comes to the channel that asked, without a queue of its own. */
const REPLIES = 'amq.rabbitmq.reply-to'

export interface GatePublisher {
  /**
   * Resolves when the exchange has routed the message and the broker has taken it. Rejects with GATE_UNREACHABLE or
   * GATE_UNROUTABLE. After `expirationMs` the broker drops what nobody has fetched.
   */
  publish(
    exchange: string,
    routingKey: string,
    body: Buffer,
    options: { messageId: string; expirationMs: number },
  ): Promise<void>
  close(): Promise<void>
}

/** What a controller answered to the `replyTo` of a command, with the command's id as correlation id. */
export type GateReply = (id: string, body: string) => void

interface Session {
  model: ChannelModel
  channel: ConfirmChannel
  /** Exchanges that exist. */
  known: Set<string>
  /** Ids of messages that came back unrouted. */
  returned: Set<string>
  broken: boolean
}

interface Command {
  exchange: string
  routingKey: string
  body: Buffer
  id: string
  /** By performance.now(). */
  until: number
  givenUp: boolean
}

/**
 * Commands to gates over RabbitMQ: mandatory, confirmed, expiring. The connection is made at the first command and again
 * after it broke; nothing is kept for later, because a command that is late means nothing.
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

  const open = async (): Promise<Session> => {
    const model = await connect(withHeartbeat(url), { timeout: CONNECT_MS, noDelay: true })
    const drop = (error?: unknown) => {
      if (opened.broken) return
      opened.broken = true
      session = undefined
      if (!closed)
        log.warn({ reason: error ? reasonOf(error) : 'closed' }, 'the connection for gates is gone')
      model.close().catch(() => {})
    }
    model.on('error', drop).on('close', drop)
    const channel = await model.createConfirmChannel()
    const opened: Session = { model, channel, known: new Set(), returned: new Set(), broken: false }
    channel.on('error', drop).on('close', drop)
    channel.on('return', ({ properties }) => opened.returned.add(String(properties.messageId)))
    // must be consumed before the first command, on the same channel
    await channel.consume(
      REPLIES,
      (reply) => {
        const id: unknown = reply?.properties.correlationId
        if (reply && typeof id === 'string') onReply?.(id, reply.content.toString('utf8'))
      },
      { noAck: true },
    )
    return opened
  }

  const current = (): Promise<Session> => {
    session ??= open().catch((error) => {
      session = undefined
      throw error
    })
    return session
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
        // of what is left now: connecting took its time
        expiration: Math.max(1, Math.floor(until - performance.now())),
        type: 'gate.open',
      }
      channel.publish(exchange, routingKey, body, options, (error) => {
        // what cannot be routed comes back first, and is confirmed all the same
        const lost = returned.delete(id)
        if (error) reject(error)
        else if (lost) reject(undelivered('GATE_UNROUTABLE', { exchange, routingKey }))
        else resolve()
      })
    })

  const send = async (command: Command): Promise<true> => {
    const opened = await current()
    await check(opened, command.exchange)
    // whoever gave it up has another try on its way by now
    if (!command.givenUp && performance.now() < command.until) await confirmed(opened, command)
    return true
  }

  return {
    async publish(exchange, routingKey, body, { messageId: id, expirationMs }) {
      const until = performance.now() + expirationMs
      const command: Command = { exchange, routingKey, body, id, until, givenUp: false }
      const limit = Math.min(PUBLISH_MS, expirationMs)
      try {
        if (await atMost(limit, send(command))) return
        command.givenUp = true
        throw new Error(`no confirmation within ${Math.round(limit)} ms`)
      } catch (error) {
        if ((error as { code?: unknown }).code === 'GATE_UNROUTABLE') throw error
        throw undelivered('GATE_UNREACHABLE', { reason: reasonOf(error).slice(0, 200) }, { cause: error })
      }
    },
    async close() {
      closed = true
      const opened = await session?.catch(() => undefined)
      if (!opened || opened.broken) return
      opened.broken = true
      let timer: NodeJS.Timeout | undefined
      const limit = new Promise((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS)
      })
      await Promise.race([opened.model.close().catch(() => {}), limit])
      clearTimeout(timer)
    },
  }
}

function withHeartbeat(url: string): string {
  const address = new URL(url)
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(HEARTBEAT_S))
  return address.href
}
