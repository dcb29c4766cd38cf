import type { DialRequest } from '../../machines/index.ts'
import { asPorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { CancelReason } from './ari.ts'
import type { Broker } from './broker.ts'
import { staleAfter } from './message.ts'

/** Maximum number of queued cancels. */
const WAITING = 1000

interface StopsOptions {
  broker: Pick<Broker, 'ready'>
  /** Publishes the cancel of an attempt; resolves when the broker has confirmed it. */
  publish: (request: DialRequest, why: CancelReason) => Promise<void>
  log: Logger
}

/** Cancels of telephones that ring, or may start to ring when the broker is back. */
interface Stops {
  /** Sends a cancel now, or queues it until the broker is back or the ring time is over. */
  stop(request: DialRequest, why: CancelReason): void
  /** Sends the queued cancels of a call at once, in this turn of the event loop. */
  hasten(callId: string): void
  close(): void
}

interface Waiting {
  request: DialRequest
  why: CancelReason
  ending: AbortController
  timer: NodeJS.Timeout
}

/**
 * An unconfirmed message may still be in the broker, and rings when an alarm is over; so its cancel
 * waits for the same moment. Both carry the attempt's id, so sending a cancel twice is harmless.
 */
export function createStops({ broker, publish, log }: StopsOptions): Stops {
  const waiting = new Map<string, Waiting>()

  const end = (attemptId: string) => {
    const one = waiting.get(attemptId)
    if (!one) return
    waiting.delete(attemptId)
    clearTimeout(one.timer)
    one.ending.abort()
  }

  const work = async ({ request, why, ending: { signal } }: Waiting) => {
    const { callId, attemptId } = request
    const facts = { call_id: callId, message_id: attemptId }
    while (!signal.aborted) {
      try {
        await publish(request, why)
        break
      } catch (thrown) {
        const { code, message: reason } = asPorteiroError(thrown)
        const passing = code === 'BROKER_BLOCKED' || code === 'BROKER_TIMEOUT'
        if (passing) log.info({ ...facts, code }, 'the ringing is cancelled when RabbitMQ is back')
        if (passing && (await broker.ready(signal))) continue
        log.warn(
          { ...facts, code, reason },
          'the ringing could not be cancelled; it ends after its ring time',
        )
        break
      }
    }
    end(attemptId)
  }

  return {
    stop(request, why) {
      const { attemptId, ringMs } = request
      if (waiting.has(attemptId)) return
      const [oldest] = waiting.keys()
      if (waiting.size === WAITING) end(oldest!)
      const timer = setTimeout(() => end(attemptId), staleAfter(ringMs))
      const one = { request, why, ending: new AbortController(), timer }
      waiting.set(attemptId, one)
      void work(one)
    },
    hasten(callId) {
      for (const { request, why } of [...waiting.values()]) {
        if (request.callId !== callId) continue
        // a failed cancel is sent again when the broker is back
        publish(request, why).then(
          () => end(request.attemptId),
          () => {},
        )
      }
    },
    close() {
      for (const attemptId of [...waiting.keys()]) end(attemptId)
    },
  }
}
