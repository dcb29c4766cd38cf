import type { ChannelModel, ConfirmChannel } from 'amqplib'
import type { Logger } from '../log.ts'
import { type BrokerFacts, type BrokerFailure, brokerFailureOf } from './failure.ts'

/** Limit in ms for the broker to close properly; then the socket is closed anyway. */
const CLOSE_MS = 1000

/** A change of an open connection. */
export type LinkReport =
  | { type: 'broker.blocked'; reason: string }
  | { type: 'broker.unblocked' }
  | { type: 'broker.lost'; failure: BrokerFailure }

/** An open connection. */
export interface AmqpSession {
  channel: ConfirmChannel | undefined
  /** The reason of the failure. */
  error: unknown
  watch(channel: ConfirmChannel): void
  listen(tell: (report: LinkReport) => void): void
  close(): Promise<void>
  /** Closes the socket at once. */
  drop(): void
}

/** Watches a connection from the start: an early failure is reported to the first listener. */
export function createSession(
  model: ChannelModel,
  ending: AbortController,
  facts: BrokerFacts,
  log: Logger,
): AmqpSession {
  let listener: ((report: LinkReport) => void) | undefined
  let closing = false
  const closed = Promise.withResolvers<void>()
  let blocked: string | undefined

  const lost = (error: unknown) => {
    if (closing || session.error !== undefined) return
    session.error = error
    listener?.({ type: 'broker.lost', failure: brokerFailureOf(error, facts) })
  }
  const session: AmqpSession = {
    channel: undefined,
    error: undefined,
    watch(channel) {
      channel.on('error', (error) => lost(error))
      // a connection closes its channels first; its own reason comes in the same turn
      channel.on('close', () => queueMicrotask(() => lost(new Error('Channel closed by server'))))
    },
    listen(tell) {
      listener = tell
      if (session.error !== undefined)
        tell({ type: 'broker.lost', failure: brokerFailureOf(session.error, facts) })
      else if (blocked !== undefined) tell({ type: 'broker.blocked', reason: blocked })
    },
    drop() {
      closing = true
      closed.resolve()
      ending.abort()
    },
    async close() {
      closing = true
      const timer = setTimeout(() => closed.resolve(), CLOSE_MS)
      try {
        // after a failed close there is nothing left to close
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
