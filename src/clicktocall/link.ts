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
  let connecting: Promise<unknown> = Promise.resolve()
  let releasing: Promise<void> = Promise.resolve()

  const open = async (signal: AbortSignal): Promise<Session> => {
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
    let opened: Session | undefined
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
      throw failureOf(error, facts)
    }
  }

  return {
    facts,
    /** One try. Rejects with a BrokerFailure. */
    connect(signal: AbortSignal): Promise<void> {
      const trying = tryOnce(signal)
      connecting = trying.catch(() => {})
      return trying
    },
    /** Reports what becomes of the connection, until the returned function is called, which lets go of it. */
    hold(tell: (report: LinkReport) => void): () => void {
      session?.listen(tell)
      return () => letGo()
    },
    /** Resolves when no connection is left, nor one on its way. */
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

interface Session {
  channel: ConfirmChannel | undefined
  /** What broke it. */
  error: unknown
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
    if (closing || session.error !== undefined) return
    session.error = error
    listener?.({ type: 'broker.lost', failure: failureOf(error, facts) })
  }
  const session: Session = {
    channel: undefined,
    error: undefined,
    watch(channel) {
      channel.on('error', (error) => lost(error))
      // a connection closes its channels first; its own reason comes in the same turn
      channel.on('close', () => queueMicrotask(() => lost(new Error('Channel closed by server'))))
    },
    listen(tell) {
      listener = tell
      if (session.error !== undefined) tell({ type: 'broker.lost', failure: failureOf(session.error, facts) })
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
