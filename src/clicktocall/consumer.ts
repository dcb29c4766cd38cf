import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib'
import type { BrokerFacts } from '../platform/amqp/index.ts'
import { asPorteiroError, type PorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { type ClickToCall, parseMessage } from './message.ts'
import { ensureQueue } from './queue.ts'
import type { createRinger, MessageFate } from './ringer.ts'

/** Messages that are handled at once; each waits for one answer of ARI. */
const PREFETCH = 10
/** ms before a message that found Asterisk away goes back to the queue. */
const PAUSE_MS = 1000
/** ms that the broker has to stop sending. */
const CANCEL_MS = 1000

interface ConsumerOptions {
  facts: BrokerFacts
  queue: string
  ringer: ReturnType<typeof createRinger>
  pauseMs?: number
  log: Logger
}

/** The name of the queue for what could not be rung. */
function deadQueueOf(queue: string): string {
  return `${queue}.dead`
}

/**
 * The role `dialer`: takes click-to-call messages and has them rung. A message is acknowledged when Asterisk accepted it,
 * or when its copy lies confirmed in `<queue>.dead`; a crash in between gives it back to the queue. Our own dead letters
 * instead of the broker's: they carry the reason, and the queue needs no arguments that an existing one lacks.
 */
export function createConsumer({ facts, queue, ringer, pauseMs = PAUSE_MS, log }: ConsumerOptions) {
  const work = new Set<Promise<void>>()
  const pauses = new Map<NodeJS.Timeout, () => void>()
  let consuming: { channel: ConfirmChannel; tag: string } | undefined
  let closing = false

  const handle = async (channel: ConfirmChannel, delivery: ConsumeMessage) => {
    let message: ClickToCall
    let verdict: MessageFate
    try {
      message = parseMessage(delivery.content, delivery.properties.messageId)
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
      // the channel is gone and with it the delivery: the broker gives it to the next one
      log.warn({ ...facts, reason: asPorteiroError(error).message }, 'a delivery was given back')
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
      await ensureQueue(model, queue)
      await ensureQueue(model, deadQueueOf(queue))
      await channel.prefetch(PREFETCH)
      const { consumerTag } = await channel.consume(queue, (delivery) => {
        // null: the queue was deleted. The channel's end brings a new connection, which declares it
        if (delivery === null)
          return channel.emit('error', new Error('Channel closed by server: queue deleted'))
        const handled = handle(channel, delivery).finally(() => work.delete(handled))
        work.add(handled)
      })
      consuming = { channel, tag: consumerTag }
    },
    /** Takes no more, and resolves when what was taken is answered for. */
    async close(): Promise<void> {
      closing = true
      // a connection that hangs is the broker's to close; what it gave us comes again
      await Promise.race([consuming?.channel.cancel(consuming.tag).catch(() => {}), pause(CANCEL_MS)])
      for (const end of pauses.values()) end()
      await Promise.allSettled(work)
    },
  }
}
