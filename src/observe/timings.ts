import { Counter, Histogram, Registry } from 'prom-client'

/** Buckets in s: from a nearby webhook to a message that waited for its tenth retry. */
const DELIVERY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600]
/** Buckets in s: one request to a provider. */
const TRY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Buckets in s: the silence that a caller hears. */
const SPEECH_SECONDS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10]

/** The measured part of a channel. */
interface Sender<Message, Attempt, Accepted> {
  readonly channel: string
  send(message: Message, attempt: Attempt): Promise<Accepted>
  close(): Promise<void>
}

/** Durations for the metrics of one service, observed when they happen. */
export interface Timings {
  readonly registry: Registry
  /** One answer of a speech provider. `tts`: a whole text. `stt`: from the end of the speech to its text. */
  speech(kind: 'tts' | 'stt', provider: string, ms: number): void
  /** Wraps channels to measure their attempts and deliveries. */
  measured<Message extends { priority: number; createdAt: Date }, Attempt, Accepted>(
    senders: readonly Sender<Message, Attempt, Accepted>[],
  ): Sender<Message, Attempt, Accepted>[]
}

export function createTimings({ now = Date.now }: { now?: () => number } = {}): Timings {
  const registry = new Registry()
  const registers = [registry]
  const deliveries = new Histogram({
    name: 'porteiro_delivery_seconds',
    help: 'From the moment a message was enqueued until the other side had accepted it.',
    labelNames: ['channel', 'priority'],
    buckets: DELIVERY_SECONDS,
    registers,
  })
  const tries = new Histogram({
    name: 'porteiro_delivery_try_seconds',
    help: 'One try to deliver a message, whatever came of it.',
    labelNames: ['channel'],
    buckets: TRY_SECONDS,
    registers,
  })
  const outcomes = new Counter({
    name: 'porteiro_delivery_tries_total',
    help: 'Tries to deliver a message by what came of them.',
    labelNames: ['channel', 'outcome'],
    registers,
  })
  const answers = new Histogram({
    name: 'porteiro_speech_seconds',
    help: 'One answer of a speech provider; stt: from the end of what was said to its text.',
    labelNames: ['kind', 'provider'],
    buckets: SPEECH_SECONDS,
    registers,
  })

  return {
    registry,
    speech: (kind, provider, ms) => answers.observe({ kind, provider }, ms / 1000),
    measured: (senders) =>
      senders.map((sender) => {
        const { channel } = sender
        return {
          channel,
          async send(message, attempt) {
            const began = now()
            const tried = (outcome: 'accepted' | 'failed') => {
              tries.observe({ channel }, (now() - began) / 1000)
              outcomes.inc({ channel, outcome })
            }
            try {
              const accepted = await sender.send(message, attempt)
              tried('accepted')
              const waited = Math.max(0, now() - message.createdAt.getTime())
              deliveries.observe({ channel, priority: message.priority }, waited / 1000)
              return accepted
            } catch (error) {
              tried('failed')
              throw error
            }
          },
          close: () => sender.close(),
        }
      }),
  }
}
