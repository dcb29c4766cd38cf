import type { Channel } from 'amqplib'
import type { createCheck, Verdict } from './check.ts'

/** A gate on RabbitMQ, with a queue bound to its exchange and routing key. Only a command that was checked gets a reply. */
export async function consume(
  channel: Channel,
  queue: string,
  check: ReturnType<typeof createCheck>,
  open: () => void,
): Promise<void> {
  await channel.consume(
    queue,
    (message) => {
      if (!message) return
      const { headers, replyTo, correlationId } = message.properties
      let verdict: Verdict
      try {
        verdict = check(headers ?? {}, message.content.toString('utf8'))
      } catch (error) {
        return console.error('a command cannot be checked', error)
      }
      if (verdict === 'open') open()
      if (verdict !== 'open' && verdict !== 'opened before')
        return console.warn(`a command was refused: ${verdict}`)
      channel.sendToQueue(replyTo, Buffer.from('{"opened":true}'), { correlationId })
    },
    { noAck: true },
  )
}
