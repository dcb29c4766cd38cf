import { fail } from '../platform/errors.ts'
import { type Job, retryDelay } from '../queue/index.ts'
import type { TryResult } from './attempt.ts'
import { advance } from './life.ts'
import type { MessageStatus } from './message.ts'
import { type Refusal, refusalOf } from './policy.ts'
import type { Settled } from './sql/attempts.ts'
import type { LastError, MessageRow } from './sql/messages.ts'

/** ms from its beginning that a message waits for a paused endpoint at no cost; after a day each look is a try, so that it ends. */
const PATIENCE_MS = 24 * 60 * 60 * 1000

/** The try that an outcome is of. */
export interface Begun {
  number: number
  startedAt: Date
}

/** What became of a message that was taken. */
export interface Outcome {
  message: MessageRow
  job: Job
  status: MessageStatus
  at: Date
  outcome: Settled['outcome']
  /** Undefined where no try was made. */
  attempt?: Begun | undefined
  nextAttemptAt?: Date | undefined
  providerId?: string | undefined
  error?: LastError | undefined
  /** Of the try, well or not. */
  httpStatus?: number | undefined
  retryAfterMs?: number | undefined
}

interface Taken {
  /** As it is during the try. */
  message: MessageRow
  job: Job
  at: Date
}

/** What a try led to: the machine says where to, the policy when again. Undefined: somebody else has the message by now. */
export function outcomeOf(
  taken: Taken & { attempt: Begun },
  result: TryResult,
  random: () => number,
): Outcome | undefined {
  const { message, at } = taken
  if (result.ok) {
    const status = advance(message, { type: 'message.accepted' })
    const { providerId, status: httpStatus } = result.accepted
    return { ...taken, status, outcome: 'sent', providerId, httpStatus }
  }
  const { stopped } = result
  const refusal = refusalOf(result.error, message)
  const { code, message: text, status: httpStatus, retryAfterMs } = refusal
  const error = { code, message: text, ...(httpStatus !== undefined && { status: httpStatus }) }
  if (stopped === 'lost') return undefined
  if (stopped === 'expired') return expired(taken)
  if (stopped === 'cancelled')
    return { ...taken, status: advance(message, { type: 'message.cancelled' }), outcome: stopped }
  if (stopped === 'closing' && !refusal.final)
    return { ...taken, status: advance(message, { type: 'message.released' }), outcome: 'released', error }
  if (
    code === 'ENDPOINT_PAUSED' &&
    !refusal.final &&
    at.getTime() - message.createdAt.getTime() < PATIENCE_MS
  )
    return { ...taken, ...afterPause(message, at, retryAfterMs ?? 0), error, retryAfterMs }
  return { ...taken, ...afterRefusal(message, refusal, at, random), error, httpStatus, retryAfterMs }
}

/** Nothing was tried, so nothing is counted: the message waits until the endpoint is asked again. */
function afterPause(message: MessageRow, at: Date, waitMs: number) {
  const nextAttemptAt = new Date(at.getTime() + waitMs)
  if (message.expiresAt && nextAttemptAt >= message.expiresAt)
    return { status: advance(message, { type: 'message.expired' }), outcome: 'expired' as const }
  return {
    status: advance(message, { type: 'message.released' }),
    outcome: 'released' as const,
    nextAttemptAt,
  }
}

function afterRefusal(message: MessageRow, refusal: Refusal, at: Date, random: () => number) {
  const status = advance(message, { type: 'message.refused', final: refusal.final })
  if (status !== 'retrying') return { status, outcome: 'failed' as const }
  const { retryDelayMs, attempts, attemptsBefore, expiresAt } = message
  const { retryAfterMs } = refusal
  const delayMs = retryDelay(retryDelayMs, attempts - attemptsBefore, { retryAfterMs, random })
  const nextAttemptAt = new Date(at.getTime() + delayMs)
  // nobody needs to wait for a try that will not be made
  if (expiresAt && nextAttemptAt >= expiresAt)
    return { status: advance(message, { type: 'message.expired' }), outcome: 'expired' as const }
  return { status, outcome: 'retrying' as const, nextAttemptAt }
}

/** Its time passed, before a try or during one. */
export function expired(taken: Taken & { attempt?: Begun }): Outcome {
  const { code, message: text } = fail('MESSAGE_EXPIRED')
  const status = advance(taken.message, { type: 'message.expired' })
  return { ...taken, status, outcome: 'expired', error: { code, message: text } }
}

/** Its worker was killed during the try, nobody can tell how far it came, and the other side would take it twice. */
export function uncertain(taken: Taken): Outcome {
  const { channel, attempts: number, updatedAt: startedAt } = taken.message
  const { code, message: text } = fail('MESSAGE_UNCERTAIN', { channel })
  const status = advance(taken.message, { type: 'message.refused', final: true })
  return {
    ...taken,
    status,
    outcome: 'failed',
    attempt: { number, startedAt },
    error: { code, message: text },
  }
}
