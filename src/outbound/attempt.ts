import { DeliveryError } from '../platform/http-client/index.ts'
import type { Accepted, ChannelSender, Message } from './message.ts'

/** ms for one try; then it is given up, whatever the channel's own limits are. */
const TRY_MS = 30_000
/** ms in which a channel that was told to stop must say how far it came. */
const ABORT_MS = 1000

/** Why a try was told to stop. */
export type Stopped = 'timeout' | 'expired' | 'cancelled' | 'closing' | 'lost'

export type TryResult =
  | { ok: true; accepted: Accepted }
  | { ok: false; error: unknown; stopped: Stopped | undefined }

interface AttemptOptions {
  sender: ChannelSender
  message: Message
  number: number
  /** Its abort's reason is a `Stopped`. */
  controller: AbortController
  now: number
  timeoutMs?: number
}

/** One try, from its beginning to what came of it. Never rejects and never lasts longer than its time. */
export async function attempt({
  sender,
  message,
  number,
  controller,
  now,
  timeoutMs = TRY_MS,
}: AttemptOptions): Promise<TryResult> {
  const { signal } = controller
  const left = message.expiresAt ? message.expiresAt.getTime() - now : Infinity
  const timer = setTimeout(
    () => controller.abort(left < timeoutMs ? 'expired' : 'timeout'),
    Math.min(timeoutMs, left),
  )
  const deaf = Promise.withResolvers<never>()
  let deafTimer: NodeJS.Timeout | undefined
  const onAbort = () => {
    deafTimer = setTimeout(() => deaf.reject(gaveUp(timeoutMs)), ABORT_MS)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const sending = sender.send(message, { number, signal })
    // it may still reject when nobody waits for it any more
    sending.catch(() => {})
    return { ok: true, accepted: await Promise.race([sending, deaf.promise]) }
  } catch (error) {
    const stopped = signal.aborted ? (signal.reason as Stopped) : undefined
    // whoever throws what it was aborted with has nothing to say about how far it came
    const told = error instanceof DeliveryError || !stopped
    return { ok: false, error: told ? error : gaveUp(timeoutMs), stopped }
  } finally {
    clearTimeout(timer)
    clearTimeout(deafTimer)
    signal.removeEventListener('abort', onAbort)
  }
}

function gaveUp(ms: number): DeliveryError {
  return new DeliveryError({
    code: 'MESSAGE_TIMEOUT',
    message: `The try took longer than ${ms} ms.`,
    uncertain: true,
  })
}
