import type { DialRequest } from '../../machines/index.ts'
import { asPorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Broker } from './broker.ts'
import { staleAfter } from './message.ts'

/** Attempts whose end may wait at a time: a broker that is away for longer has lost more than these. */
const WAITING = 1000

interface StopsOptions {
  broker: Pick<Broker, 'ready'>
  /** Sends what stops the ringing of an attempt; resolves when the broker has it. */
  publish: (request: DialRequest) => Promise<void>
  log: Logger
}

/** The stopping of telephones that may ring, or may begin to when the broker is back. */
interface Stops {
  /** Now, or as soon as the broker takes messages, as long as anybody would still ring for that attempt. */
  stop(request: DialRequest): void
  /** Sends once more, in this very turn, what waits for a call. */
  hasten(callId: string): void
  close(): void
}

interface Waiting {
  request: DialRequest
  ending: AbortController
  timer: NodeJS.Timeout
}

/**
 * A message whose confirm did not come may lie in the broker all the same, and rings when an alarm is over; so what stops
 * it waits for the same moment. Both carry the attempt's id: sent twice, it stops once.
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

  const work = async ({ request, ending: { signal } }: Waiting) => {
    const { callId, attemptId } = request
    const facts = { call_id: callId, message_id: attemptId }
    while (!signal.aborted) {
      try {
        await publish(request)
        break
      } catch (thrown) {
        const { code, message: reason } = asPorteiroError(thrown)
        const passing = code === 'BROKER_BLOCKED' || code === 'BROKER_TIMEOUT'
        if (passing) log.info({ ...facts, code }, 'the ringing is stopped when RabbitMQ is back')
        if (passing && (await broker.ready(signal))) continue
        log.warn({ ...facts, code, reason }, 'the ringing could not be stopped; it ends by itself')
        break
      }
    }
    end(attemptId)
  }

  return {
    stop(request) {
      const { attemptId, ringMs } = request
      if (waiting.has(attemptId)) return
      const [oldest] = waiting.keys()
      if (waiting.size === WAITING) end(oldest!)
      const timer = setTimeout(() => end(attemptId), staleAfter(ringMs))
      const one = { request, ending: new AbortController(), timer }
      waiting.set(attemptId, one)
      void work(one)
    },
    hasten(callId) {
      for (const { request } of [...waiting.values()]) {
        if (request.callId !== callId) continue
        // what failed is tried again when the broker is back
        publish(request).then(
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
