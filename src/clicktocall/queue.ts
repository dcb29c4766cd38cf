import type { ChannelModel } from 'amqplib'

/** Messages that RabbitMQ's reply code 404 says it has no place for. */
const NOT_FOUND = 404

/**
 * Makes sure that a queue exists. One that is there is taken as it is, whatever its kind and arguments (quorum, limits,
 * dead letters); a new one is durable. Each question has a channel of its own, because a "no" closes it.
 */
export async function ensureQueue(model: ChannelModel, queue: string): Promise<void> {
  try {
    await onChannel(model, (channel) => channel.checkQueue(queue))
  } catch (error) {
    if ((error as { code?: unknown }).code !== NOT_FOUND) throw error
    await onChannel(model, (channel) => channel.assertQueue(queue, { durable: true }))
  }
}

async function onChannel(
  model: ChannelModel,
  ask: (channel: Awaited<ReturnType<ChannelModel['createChannel']>>) => Promise<unknown>,
): Promise<void> {
  const channel = await model.createChannel()
  // the same error rejects the question
  channel.on('error', () => {})
  await ask(channel)
  await channel.close()
}
