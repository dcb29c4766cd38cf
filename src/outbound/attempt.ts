import { DeliveryError, undelivered } from '../platform/http-client/index.ts'
import type { Accepted, ChannelSender, Message } from './message.ts'

/** ms for one attempt, whatever the channel's own limits are. */
const ATTEMPT_MS = 30_000
/** ms for a channel to report how far it got, after its attempt was aborted. */
const ABORT_MS = 1000

/** Why an attempt was aborted. */
export type AbortCause = 'timeout' | 'expired' | 'cancelled' | 'closing' | 'lost'

export type AttemptResult =
  | { ok: true; accepted: Accepted }
  | { ok: false; error: unknown; aborted: AbortCause | undefined }

interface AttemptOptions {
  sender: ChannelSender
  message: Message
  number: number
  /** Its abort reason is an `AbortCause`. */
  controller: AbortController
  now: number
  timeoutMs?: number
}

/** Makes one attempt. Never rejects and never takes longer than its time. */
export async function attempt({
  sender,
  message,
  number,
  controller,
  now,
  timeoutMs = ATTEMPT_MS,
}: AttemptOptions): Promise<AttemptResult> {
  const { signal } = controller
  const left = message.expiresAt ? message.expiresAt.getTime() - now : Infinity
  const timer = setTimeout(
    () => controller.abort(left < timeoutMs ? 'expired' : 'timeout'),
    Math.min(timeoutMs, left),
  )
  const unresponsive = Promise.withResolvers<never>()
  let abortTimer: NodeJS.Timeout | undefined
  const onAbort = () => {
    abortTimer = setTimeout(() => unresponsive.reject(timedOut(timeoutMs)), ABORT_MS)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const sending = sender.send(message, { number, signal })
    // it may still reject after the race is over
    sending.catch(() => {})
    return { ok: true, accepted: await Promise.race([sending, unresponsive.promise]) }
  } catch (error) {
    const aborted = signal.aborted ? (signal.reason as AbortCause) : undefined
    // a channel that rethrows the abort reason does not say how far it got
    const isKnown = error instanceof DeliveryError || !aborted
    return { ok: false, error: isKnown ? error : timedOut(timeoutMs), aborted }
  } finally {
    clearTimeout(timer)
    clearTimeout(abortTimer)
    signal.removeEventListener('abort', onAbort)
  }
}

function timedOut(ms: number): DeliveryError {
  return undelivered('MESSAGE_TIMEOUT', { ms }, { uncertain: true })
}
