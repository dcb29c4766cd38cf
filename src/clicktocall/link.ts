import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import type { BrokerFailure } from '../../machines/index.ts'
import type { Logger } from '../log.ts'
import { type BrokerFacts, factsOf, failureOf } from './broker-error.ts'

/** ms that the broker has to say goodbye; then the socket is closed all the same. */
const CLOSE_MS = 1000
/** s between heartbeats, unless AMQP_URL says otherwise: a broker that vanished is noticed within two of them. */
const HEARTBEAT_S = 10

export interface LinkOptions {
  url: string
  queue: string
  /** ms for the connection, the handshake and what `prepare` does. */
  connectMs: number
  /** Declares and consumes; part of connecting. Called on each new connection. */
  prepare: (channel: ConfirmChannel, model: ChannelModel) => Promise<void>
  log: Logger
}

/** What became of a connection that stood. */
export type LinkReport =
  | { type: 'broker.blocked'; reason: string }
  | { type: 'broker.unblocked' }
  | { type: 'broker.lost'; failure: BrokerFailure }

export type Link = ReturnType<typeof createLink>

/**
 * One AMQP connection with one confirm channel, made anew as often as it is asked for. A channel that dies takes the
 * connection with it: what made it die would happen on the next one too, and there is one way back instead of two.
 */
export function createLink({ url, queue, connectMs, prepare, log }: LinkOptions) {
  const facts = factsOf(url, queue)
  const address = withHeartbeat(url)
  let session: Session | undefined
  let releasing: Promise<void> = Promise.resolve()

  const open = async (signal: AbortSignal): Promise<Session> => {
    const ending = new AbortController()
    const limit = AbortSignal.any([signal, ending.signal])
    const model = await connect(address, { noDelay: true, timeout: connectMs, signal: limit })
    const opened = createSession(model, ending, facts, log)
    try {
      await expiring(connectMs, limit, async () => {
        opened.channel = await model.createConfirmChannel()
        opened.watch(opened.channel)
        await prepare(opened.channel, model)
      })
      return opened
    } catch (error) {
      await opened.close()
      throw opened.failure === undefined ? error : (opened.failure.details['cause'] ?? error)
    }
  }

  return {
    facts,
    /** The channel to publish on; undefined while there is none. */
    channel: (): ConfirmChannel | undefined => session?.channel,
    /** One try. Rejects with a BrokerFailure. */
    async connect(signal: AbortSignal): Promise<void> {
      await releasing
      log.debug(facts, 'connecting to RabbitMQ')
      try {
        session = await open(signal)
      } catch (error) {
        throw failureOf(error, facts)
      }
    },
    /** Reports what becomes of the connection, until the returned function is called, which lets go of it. */
    hold(tell: (report: LinkReport) => void): () => void {
      const held = session
      held?.listen(tell)
      return () => {
        session = undefined
        if (held) releasing = held.close()
      }
    },
    /** Resolves when the last connection is gone. */
    release: () => releasing,
  }
}

interface Session {
  channel: ConfirmChannel | undefined
  failure: BrokerFailure | undefined
  watch(channel: ConfirmChannel): void
  listen(tell: (report: LinkReport) => void): void
  close(): Promise<void>
}

function createSession(
  model: ChannelModel,
  ending: AbortController,
  facts: BrokerFacts,
  log: Logger,
): Session {
  let listener: ((report: LinkReport) => void) | undefined
  let closing = false
  const closed = Promise.withResolvers<void>()
  let blocked: string | undefined

  const lost = (error: unknown) => {
    if (closing || session.failure) return
    session.failure = failureOf(error, facts)
    listener?.({ type: 'broker.lost', failure: session.failure })
  }
  const session: Session = {
    channel: undefined,
    failure: undefined,
    watch(channel) {
      channel.on('error', (error) => lost(error))
      channel.on('close', () => lost(new Error('Channel closed by server')))
    },
    listen(tell) {
      listener = tell
      if (session.failure) tell({ type: 'broker.lost', failure: session.failure })
      else if (blocked !== undefined) tell({ type: 'broker.blocked', reason: blocked })
    },
    async close() {
      closing = true
      const timer = setTimeout(() => closed.resolve(), CLOSE_MS)
      try {
        // a close that fails has nothing left to close
        model.close().catch(() => closed.resolve())
        await closed.promise
      } finally {
        clearTimeout(timer)
        ending.abort()
      }
      log.debug(facts, 'the connection to RabbitMQ is closed')
    },
  }
  // without a listener an error would end the process
  model.on('error', lost)
  model.on('close', (error) => {
    closed.resolve()
    lost(error ?? new Error('Unexpected close'))
  })
  model.on('blocked', (reason) => {
    blocked = reason
    listener?.({ type: 'broker.blocked', reason })
  })
  model.on('unblocked', () => {
    blocked = undefined
    listener?.({ type: 'broker.unblocked' })
  })
  return session
}

function withHeartbeat(url: string): string {
  const address = new URL(url)
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(HEARTBEAT_S))
  return address.href
}

async function expiring(ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('connect ETIMEDOUT')), ms)
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    await Promise.race([work(), promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
