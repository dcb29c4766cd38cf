import type { ChannelModel, ConfirmChannel } from 'amqplib'
import { type BrokerFailure, createLink, onChannel } from '../platform/amqp/index.ts'
import { reasonOf } from '../platform/errors.ts'
import { type Signed, signatureHeaders, undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import { withTimeout } from '../platform/time.ts'

/** ms for connecting with the handshake, and for one command until its confirmation. */
const CONNECT_MS = 5000
const PUBLISH_MS = 8000
/** RabbitMQ's direct reply-to: replies arrive on the channel that published, without a queue. */
const REPLIES = 'amq.rabbitmq.reply-to'

export type GatePublisher = ReturnType<typeof createGatePublisher>

/** Maximum number of channels of a connection; RabbitMQ allows 2047 unless it is told otherwise, hosted ones often 128. */
const MAX_CHANNELS = 1000
/** Channels that are left for questions, for those that are still closing, and for the link's own. */
const SPARE_CHANNELS = 8

/** Names a gate. */
export interface GateId {
  tenantId: string
  gateId: string
}

/** Called with the reply of the gate's controller to a command; `id` is what it says, from the correlation id. */
type GateReply = (gate: GateId, id: string, body: string) => void | Promise<void>

interface GateChannel {
  channel: ConfirmChannel
  /** Ids of messages that came back unrouted. */
  returned: Set<string>
}

interface Connection {
  model: ChannelModel
  /** By gate, the one used last at the end: a reply comes on the channel of its command, so that no gate answers for another. */
  channels: Map<string, Promise<GateChannel>>
  maxChannels: number
  /** Exchanges that exist. */
  known: Set<string>
  /** `blocked` during an alarm: the broker reads nothing, so commands would wait, and open gates when the alarm is over. */
  state: 'open' | 'blocked' | 'gone'
}

interface Command extends PublishOptions {
  exchange: string
  routingKey: string
  body: Buffer
  /** By performance.now(). */
  until: number
  /** The caller gave it up, and may have started another attempt. */
  givenUp: boolean
  /** The connection it was written to. */
  sentOn?: Connection
}

interface PublishOptions {
  gate: GateId
  /** Its id is the message's. */
  signed: Signed
  expirationMs: number
}

interface GatePublisherOptions {
  /** AMQP_URL. */
  url: string
  onReply?: GateReply
  log: Logger
}

/**
 * Commands to gates over RabbitMQ: mandatory, confirmed, expiring, signed as webhooks are, in headers. The connection is made at the first command and again
 * after it broke. A late command is useless, so nothing is kept for later. `expiration` counts from when the broker reads the
 * command; a command that is not confirmed in time therefore ends its connection, with all that was written and not sent.
 */
export function createGatePublisher({ url, onReply, log }: GatePublisherOptions) {
  const ending = new AbortController()
  let current: Promise<Connection> | undefined
  /** Of the connection that is being made. */
  let prepared: Connection | undefined

  const link = createLink({
    url,
    queue: REPLIES,
    connectMs: CONNECT_MS,
    async prepare(_, model) {
      // negotiated; amqplib's types do not know it
      const { channelMax } = model.connection as unknown as { channelMax: number }
      const maxChannels = Math.max(1, Math.min(MAX_CHANNELS, channelMax - SPARE_CHANNELS))
      prepared = { model, channels: new Map(), maxChannels, known: new Set(), state: 'open' }
    },
    log,
  })

  /** A graceful close would let a late command out. */
  const drop = (connection: Connection, reason: string): void => {
    if (connection.state === 'gone') return
    connection.state = 'gone'
    current = undefined
    link.drop()
    if (!ending.signal.aborted) log.warn({ reason }, 'lost the connection for gates')
  }

  const open = async (): Promise<Connection> => {
    await link.connect(ending.signal)
    const connection = prepared!
    link.hold((report) => {
      if (report.type === 'broker.lost') drop(connection, String(report.failure.details['reason']))
      else if (connection.state !== 'gone')
        connection.state = report.type === 'broker.blocked' ? 'blocked' : 'open'
    })
    return connection
  }

  const connected = (): Promise<Connection> => {
    current ??= open().catch(({ details }: BrokerFailure) => {
      current = undefined
      throw new Error(String(details['reason']))
    })
    return current
  }

  const openChannel = async (
    { model, known }: Connection,
    gate: GateId,
    forget: () => void,
  ): Promise<GateChannel> => {
    const channel = await model.createConfirmChannel()
    const returned = new Set<string>()
    // RabbitMQ ends the channel alone; what was written to it and not confirmed is lost, and its try has failed
    channel.on('error', (error) => {
      forget()
      known.clear()
      log.warn(
        { tenant: gate.tenantId, gate: gate.gateId, reason: reasonOf(error) },
        'lost the channel of a gate',
      )
    })
    channel.on('return', ({ properties }) => returned.add(String(properties.messageId)))
    // must be consumed before the first command, on the same channel
    await channel.consume(
      REPLIES,
      (reply) => {
        const id: unknown = reply?.properties.correlationId
        if (reply && typeof id === 'string') void onReply?.(gate, id, reply.content.toString('utf8'))
      },
      { noAck: true },
    )
    return { channel, returned }
  }

  /** The gate's own channel. */
  const channelOf = (connection: Connection, gate: GateId): Promise<GateChannel> => {
    const { channels, maxChannels } = connection
    const key = JSON.stringify([gate.tenantId, gate.gateId])
    const forget = () => {
      if (channels.get(key) === opened) channels.delete(key)
    }
    const opened: Promise<GateChannel> = channels.get(key) ?? openChannel(connection, gate, forget)
    channels.delete(key)
    channels.set(key, opened)
    opened.catch(forget)
    const [oldest] = channels
    if (channels.size > maxChannels && oldest) {
      channels.delete(oldest[0])
      void oldest[1].then((unused) => closeConfirmed(unused)).catch(() => {})
    }
    return opened
  }

  const closeConfirmed = async ({ channel }: GateChannel): Promise<void> => {
    await channel.waitForConfirms()
    await channel.close()
  }

  const confirmed = ({ channel, returned }: GateChannel, command: Command) =>
    new Promise<void>((resolve, reject) => {
      const { exchange, routingKey, body, signed, until } = command
      const { id } = signed
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
        headers: signatureHeaders(signed, body),
      }
      channel.publish(exchange, routingKey, body, options, (error) => {
        // an unroutable message is returned first, and confirmed all the same
        const isUnrouted = returned.delete(id)
        if (error) reject(error)
        else if (isUnrouted) reject(undelivered('GATE_UNROUTABLE', { exchange, routingKey }))
        else resolve()
      })
    })

  const send = async (command: Command): Promise<true> => {
    const connection = await connected()
    const { model, known } = connection
    const { exchange } = command
    if (connection.state === 'blocked') throw new Error('the broker takes nothing for now')
    if (!known.has(exchange)) await onChannel(model, (channel) => channel.checkExchange(exchange))
    known.add(exchange)
    const channel = await channelOf(connection, command.gate)
    if (command.givenUp || performance.now() >= command.until) return true
    command.sentOn = connection
    await confirmed(channel, command)
    return true
  }

  return {
    /**
     * Resolves when the exchange has routed the message and the broker has taken it. Rejects with GATE_UNREACHABLE or
     * GATE_UNROUTABLE. After `expirationMs` the broker drops the message if nobody has fetched it.
     */
    async publish(
      exchange: string,
      routingKey: string,
      body: Buffer,
      options: PublishOptions,
    ): Promise<void> {
      const { expirationMs } = options
      const until = performance.now() + expirationMs
      const command: Command = { ...options, exchange, routingKey, body, until, givenUp: false }
      const limit = Math.min(PUBLISH_MS, expirationMs)
      try {
        if (await withTimeout(limit, send(command))) return
        command.givenUp = true
        const reason = `no confirmation within ${Math.round(limit)} ms`
        if (command.sentOn) drop(command.sentOn, reason)
        throw new Error(reason)
      } catch (error) {
        if ((error as { code?: unknown }).code === 'GATE_UNROUTABLE') throw error
        throw undelivered('GATE_UNREACHABLE', { reason: reasonOf(error).slice(0, 200) }, { cause: error })
      }
    },
    async close(): Promise<void> {
      ending.abort()
      await link.release()
    },
  }
}
