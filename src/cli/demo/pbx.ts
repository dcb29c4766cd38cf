import { connect } from 'amqplib'
import { parseMessage } from '../../clicktocall/index.ts'

interface DemoPbxOptions {
  url: string
  queue: string
  /** Rings one attempt until `signal` is aborted. */
  ring: (callId: string, number: string, signal: AbortSignal) => Promise<void>
  /** Called with the type of each message. */
  onMessage: (type: string) => void
}

/** The PBX side of the demo if RabbitMQ is available: reads the click-to-call queue and rings a simulated telephone. */
export async function openDemoPbx({ url, queue, ring, onMessage }: DemoPbxOptions) {
  const ringing = new Map<string, { stop: AbortController; over: Promise<void> }>()
  const connection = await connect(url)
  // the service reports failures on its own connection
  connection.on('error', () => {})
  const channel = await connection.createChannel()
  await channel.assertQueue(queue, { durable: true })
  const stopAll = () => {
    for (const { stop } of ringing.values()) stop.abort()
  }
  await channel.consume(queue, (message) => {
    if (message === null) return
    const { type, callId, number, attemptId } = parseMessage(message.content, message.properties.messageId)
    onMessage(type)
    channel.ack(message)
    if (type === 'cancel') return ringing.get(attemptId)?.stop.abort()
    const stop = new AbortController()
    const over = ring(callId, number, stop.signal).finally(() => ringing.delete(attemptId))
    ringing.set(attemptId, { stop, over })
  })
  return {
    async close() {
      stopAll()
      await Promise.allSettled([...ringing.values()].map(({ over }) => over))
      await channel.deleteQueue(queue)
      await connection.close()
    },
  }
}
