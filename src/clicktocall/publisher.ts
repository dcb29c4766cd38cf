import type { ChannelModel, ConfirmChannel, Message } from 'amqplib'
import type { BrokerFacts } from '../platform/amqp/index.ts'
import { fail, type PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Broker } from './broker.ts'
import { ensureQueue } from './queue.ts'

interface UnconfirmedMessage {
  messageId: string
  /** AMQP's `type`; together with the messageId it identifies a message. */
  type: string
  body: Buffer
  headers?: Record<string, unknown>
  /** ms after which the broker drops it. */
  expiresMs?: number
}

interface PublisherOptions {
  facts: BrokerFacts
  /** The queue; also the routing key on the default exchange. */
  queue: string
  /** Limit in ms for the confirm of a message. */
  confirmMs: number
  /** Wait for a lost connection until the broker has failed, instead of `confirmMs`. */
  patient: boolean
  log: Logger
}

interface Pending {
  message: UnconfirmedMessage
  resolve: () => void
  reject: (error: PorteiroError) => void
  promise: Promise<void>
  timer: NodeJS.Timeout | undefined
  sentOn: ConfirmChannel | undefined
  returned: string | undefined
}

export type Publisher = ReturnType<typeof createPublisher>

/**
 * Publishes persistent, mandatory, confirmed messages to one queue. Messages that were unconfirmed when the connection
 * broke are sent again on the next one with the same messageId: nothing is lost, and consumers deduplicate by id.
 */
export function createPublisher({ facts, queue, confirmMs, patient, log }: PublisherOptions) {
  const pending = new Map<string, Pending>()
  let channel: ConfirmChannel | undefined
  let model: ChannelModel | undefined
  let broker: Broker | undefined

  const settle = (one: Pending, error?: PorteiroError) => {
    if (!pending.delete(keyOf(one.message))) return
    clearTimeout(one.timer)
    if (error) one.reject(error)
    else one.resolve()
  }

  const arm = (one: Pending) => {
    clearTimeout(one.timer)
    one.timer = setTimeout(() => {
      const held = broker?.state() === 'blocked' || broker?.state() === 'stuck'
      const error = held
        ? fail('BROKER_BLOCKED', { ...facts, ms: confirmMs })
        : fail('BROKER_TIMEOUT', { ...facts, reason: `no confirm within ${confirmMs} ms` })
      settle(one, error)
      // a missing confirm on an open channel is the connection's fault; without a channel the broker knows already
      if (channel) broker?.fault(error)
    }, confirmMs)
  }

  /** The queue was deleted: fails this message and declares the queue again for the next one. */
  const bringBack = async (one: Pending, reason: string) => {
    clearTimeout(one.timer)
    await ensureQueue(model!, queue, log).catch(() => {})
    settle(one, fail('BROKER_UNROUTABLE', { ...facts, queue, reason }))
  }

  const send = (one: Pending) => {
    const to = channel!
    const { messageId, type, body, headers, expiresMs } = one.message
    one.sentOn = to
    one.returned = undefined
    const confirmed = (error: Error | null) => {
      if (one.sentOn !== to) return
      if (!error) {
        // an unroutable message is returned first and then still confirmed
        if (one.returned === undefined) settle(one)
        else void bringBack(one, one.returned)
      } else if (/nacked/.test(error.message)) settle(one, fail('BROKER_NACKED', { ...facts, queue }))
    }
    const options = {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      messageId,
      type,
      headers,
      ...(expiresMs !== undefined && { expiration: expiresMs }),
    }
    try {
      to.publish('', queue, body, options, confirmed)
    } catch {
      // the channel is closing; the next one takes the message
      one.sentOn = undefined
    }
  }

  const returned = ({ fields, properties }: Message) => {
    const one = pending.get(keyOf(properties as Pick<UnconfirmedMessage, 'messageId' | 'type'>))
    if (one) one.returned = String((fields as { replyText?: string }).replyText ?? 'returned')
  }

  return {
    /** Prepares a new connection: declares the queue and sends the waiting messages. */
    async prepare(next: ConfirmChannel, on: ChannelModel): Promise<void> {
      await ensureQueue(on, queue, log)
      channel = next
      model = on
      next.on('return', returned)
      next.on('close', () => {
        if (channel !== next) return
        channel = undefined
        if (patient) for (const one of pending.values()) clearTimeout(one.timer)
      })
      for (const one of pending.values()) {
        if (patient) arm(one)
        send(one)
      }
    },
    /** Sets the broker whose failure ends all waiting. */
    follow(followed: Broker): void {
      broker = followed
      void followed.failed.then((error) => {
        for (const one of [...pending.values()]) settle(one, error)
      })
    },
    /**
     * Resolves when the broker has it on disk. Errors: BROKER_UNROUTABLE, _NACKED, _BLOCKED, _TIMEOUT, or the broker's
     * failure.
     */
    publish(message: UnconfirmedMessage): Promise<void> {
      const failure = broker?.failure()
      if (failure) return Promise.reject(failure)
      if (broker?.state() === 'stuck') {
        return Promise.reject(fail('BROKER_BLOCKED', { ...facts, ms: confirmMs }))
      }
      const key = keyOf(message)
      const same = pending.get(key)
      if (same) return same.promise
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const one: Pending = {
        message,
        promise,
        resolve,
        reject,
        timer: undefined,
        sentOn: undefined,
        returned: undefined,
      }
      pending.set(key, one)
      if (channel || !patient) arm(one)
      if (channel) send(one)
      return promise
    },
    /** Resolves when no message is waiting. */
    async settled(): Promise<void> {
      await Promise.allSettled([...pending.values()].map(({ promise }) => promise))
    },
    /** Rejects all waiting messages. */
    close(): void {
      for (const one of [...pending.values()]) {
        settle(one, fail('BROKER_CLOSED', { ...facts, reason: 'the service is closing' }))
      }
    },
  }
}

function keyOf({ type, messageId }: Pick<UnconfirmedMessage, 'messageId' | 'type'>): string {
  return `${type} ${messageId}`
}
