import { createHash, timingSafeEqual } from 'node:crypto'
import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib'
import type { BrokerFacts } from '../platform/amqp/index.ts'
import { asPorteiroError, fail, type PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { type ClickToCall, parseMessage } from './message.ts'
import { ensureQueue } from './queue.ts'
import type { createRinger, MessageFate } from './ringer.ts'

/** Messages handled concurrently; each waits for one ARI response. */
const PREFETCH = 10
/** Delay in ms before a message is requeued because Asterisk was away. */
const PAUSE_MS = 1000
/** Limit in ms for the broker to confirm the cancelled subscription. */
const CANCEL_MS = 1000

interface ConsumerOptions {
  facts: BrokerFacts
  queue: string
  ringer: ReturnType<typeof createRinger>
  /** CLICKTOCALL_LICENSE: messages with another one are refused. Empty: any licence will do. */
  license: string
  pauseMs?: number
  log: Logger
}

/** The name of the queue for dead letters. */
function deadQueueOf(queue: string): string {
  return `${queue}.dead`
}

/**
 * The role `dialer`: consumes click-to-call messages and places their calls. A message is acknowledged when Asterisk
 * has accepted it or its copy is confirmed in `<queue>.dead`; after a crash in between the broker redelivers it. We
 * write dead letters ourselves: they carry the reason, and the queue needs no arguments that an existing one lacks.
 */
export function createConsumer({ facts, queue, ringer, license, pauseMs = PAUSE_MS, log }: ConsumerOptions) {
  const work = new Set<Promise<void>>()
  const pauses = new Map<NodeJS.Timeout, () => void>()
  let consuming: { channel: ConfirmChannel; tag: string } | undefined
  let closing = false

  const handle = async (channel: ConfirmChannel, delivery: ConsumeMessage) => {
    let message: ClickToCall
    let verdict: MessageFate
    try {
      const { messageId, headers } = delivery.properties
      message = parseMessage(delivery.content, messageId, headers)
      if (license !== '' && !isSame(message.license, license))
        throw fail('MESSAGE_LICENSE', { callId: message.callId })
      verdict = await ringer[message.type === 'cancel' ? 'cancel' : 'ring'](message)
    } catch (error) {
      verdict = { what: 'dead', error: asPorteiroError(error) }
    }
    try {
      if (verdict.what === 'dead') await bury(channel, delivery, verdict.error)
      if (verdict.what === 'again' && !closing) await pause(pauseMs)
      if (verdict.what === 'again') channel.nack(delivery, false, true)
      else channel.ack(delivery)
    } catch (error) {
      // the channel is closed, so the broker redelivers the message
      log.warn({ ...facts, reason: asPorteiroError(error).message }, 'a delivery was requeued')
    }
  }

  const bury = (channel: ConfirmChannel, { content, properties }: ConsumeMessage, error: PorteiroError) => {
    const { code, message: reason } = error
    const { messageId, type, contentType } = properties
    log.warn({ ...facts, message_id: messageId, code, dead: deadQueueOf(queue) }, reason)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const headers = { 'x-porteiro-code': code, 'x-porteiro-reason': reason, 'x-porteiro-queue': queue }
    const options = { persistent: true, messageId, type, contentType, headers }
    channel.sendToQueue(deadQueueOf(queue), content, options, (failed) =>
      failed ? reject(failed) : resolve(),
    )
    return promise
  }

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer)
        pauses.delete(timer)
        resolve()
      }
      const timer = setTimeout(end, ms)
      pauses.set(timer, end)
    })

  return {
    async prepare(channel: ConfirmChannel, model: ChannelModel): Promise<void> {
      await ensureQueue(model, queue, log)
      await ensureQueue(model, deadQueueOf(queue), log)
      await channel.prefetch(PREFETCH)
      const { consumerTag } = await channel.consume(queue, (delivery) => {
        // null: the queue was deleted. Closing the channel leads to a new connection, which declares it
        if (delivery === null)
          return channel.emit('error', new Error('Channel closed by server: queue deleted'))
        const handled = handle(channel, delivery).finally(() => work.delete(handled))
        work.add(handled)
      })
      consuming = { channel, tag: consumerTag }
    },
    /** Stops consuming and resolves when every consumed message is acknowledged or requeued. */
    async close(): Promise<void> {
      closing = true
      // the broker actor closes a connection that hangs, and its messages are redelivered
      await Promise.race([consuming?.channel.cancel(consuming.tag).catch(() => {}), pause(CANCEL_MS)])
      for (const end of pauses.values()) end()
      await Promise.allSettled(work)
    },
  }
}

/** In constant time: a publisher must not learn the licence by guessing. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
