import type { ChannelModel } from 'amqplib'
import { onChannel } from '../platform/amqp/index.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'

/** AMQP's reply code for a missing queue. */
const NOT_FOUND = 404

/**
 * Ensures that a queue exists. An existing queue is used as it is, whatever its type and arguments (quorum, limits,
 * dead letters); a new one is durable.
 */
export async function ensureQueue(model: ChannelModel, queue: string, log: Logger): Promise<void> {
  try {
    await onChannel(model, (channel) => channel.checkQueue(queue))
  } catch (error) {
    if ((error as { code?: unknown }).code !== NOT_FOUND) throw error
    await onChannel(model, (channel) => channel.assertQueue(queue, { durable: true }))
    return
  }
  // a look at an existing queue does not tell whether it is durable; declaring it does, by the argument that differs
  await onChannel(model, (channel) => channel.assertQueue(queue, { durable: true })).catch((error) => {
    if (/inequivalent arg 'durable'/.test(reasonOf(error)))
      log.warn({ queue }, 'the queue is not durable: RabbitMQ forgets it and its messages when it restarts')
  })
}
