import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import type { Logger } from '../log.ts'
import { brokerFailureOf, factsOf } from './failure.ts'
import { type AmqpSession, createSession, type LinkReport } from './session.ts'

/** s between heartbeats, unless AMQP_URL says otherwise: a broker that vanished is noticed within two of them. */
const HEARTBEAT_S = 10

interface LinkOptions {
  url: string
  queue: string
  /** Limit in ms for the connection, the handshake and `prepare`. */
  connectMs: number
  /** Declares and consumes; part of connecting. Called on each new connection. */
  prepare: (channel: ConfirmChannel, model: ChannelModel) => Promise<void>
  log: Logger
}

export type Link = ReturnType<typeof createLink>

/**
 * One AMQP connection with one confirm channel, opened again on each `connect`. A channel that dies closes the
 * connection too: the same error would hit the next channel, and there is one recovery path instead of two.
 */
export function createLink({ url, queue, connectMs, prepare, log }: LinkOptions) {
  const facts = factsOf(url, queue)
  const address = withHeartbeat(url)
  let session: AmqpSession | undefined
  let connecting: Promise<unknown> = Promise.resolve()
  let releasing: Promise<void> = Promise.resolve()

  const open = async (signal: AbortSignal): Promise<AmqpSession> => {
    const ending = new AbortController()
    const stop = () => ending.abort()
    let expired = false
    const limit = setTimeout(() => {
      expired = true
      stop()
    }, connectMs)
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    // net.connect takes the signal, which amqplib's types do not know; aborting it destroys the socket at any time
    const options = { noDelay: true, timeout: connectMs, signal: ending.signal }
    let opened: AmqpSession | undefined
    try {
      const model = await connect(address, options)
      opened = createSession(model, ending, facts, log)
      opened.channel = await model.createConfirmChannel()
      opened.watch(opened.channel)
      await prepare(opened.channel, model)
      if (opened.error !== undefined) throw opened.error
      return opened
    } catch (error) {
      await opened?.close()
      throw expired ? new Error('connect ETIMEDOUT') : (opened?.error ?? error)
    } finally {
      clearTimeout(limit)
      signal.removeEventListener('abort', stop)
    }
  }

  const tryOnce = async (signal: AbortSignal): Promise<void> => {
    await releasing
    log.debug(facts, 'connecting to RabbitMQ')
    try {
      session = await open(signal)
    } catch (error) {
      throw brokerFailureOf(error, facts)
    }
  }

  return {
    facts,
    /** Makes one attempt. Rejects with a BrokerFailure. */
    connect(signal: AbortSignal): Promise<void> {
      const trying = tryOnce(signal)
      connecting = trying.catch(() => {})
      return trying
    },
    /** Reports changes of the connection until the returned function is called, which releases it. */
    hold(tell: (report: LinkReport) => void): () => void {
      session?.listen(tell)
      return () => letGo()
    },
    /** Destroys the connection at once, with everything that was written and not sent. */
    drop(): void {
      session?.drop()
      session = undefined
    },
    /** Resolves when no connection is open or being opened. */
    async release(): Promise<void> {
      await connecting
      letGo()
      await releasing
    },
  }

  function letGo(): void {
    const held = session
    session = undefined
    if (held) releasing = held.close()
  }
}

/** On a channel of its own: RabbitMQ closes the one that names what is not there. */
export async function onChannel(
  model: ChannelModel,
  ask: (channel: Channel) => Promise<unknown>,
): Promise<void> {
  const channel = await model.createChannel()
  // the same error rejects the call below
  channel.on('error', () => {})
  await ask(channel)
  await channel.close()
}

function withHeartbeat(url: string): string {
  const address = new URL(url)
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(HEARTBEAT_S))
  return address.href
}
