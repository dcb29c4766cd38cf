import { transition } from 'xstate'
import { type DeliveryEvent, deliveryMachine } from '../../machines/index.ts'
import { asPorteiroError, type Details, fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import { DeliveryError } from '../platform/http-client/index.ts'
import { type Job, retryDelay } from '../queue/index.ts'
import type { Accepted, Channel, Message, MessageStatus } from './message.ts'
import type { OutcomeRow } from './sql/attempts.ts'
import type { LastError, MessageRow } from './sql/messages.ts'

/** Reasons to wait that are no fault of the message: nothing was sent. */
const WAITS: readonly string[] = ['ENDPOINT_PAUSED', 'QUOTED_UNSENT']
/**
 * ms after its creation for which a message waits so without using up attempts. After that each probe counts as an
 * attempt, so that the waiting ends.
 */
const FREE_WAIT_MS = 24 * 60 * 60 * 1000
/** Bytes of an error's text that are stored; the table has the same limit. */
const MAX_ERROR_BYTES = 1024

/** Characters of an error's details as JSON that are stored; of longer ones only the text is. */
const MAX_DETAILS = 2048

/** Channels whose receivers recognise a second copy by the message's id. A telephone shows both copies. */
const IDEMPOTENT: readonly Channel[] = ['webhook', 'gate']

export const isIdempotent = (channel: Channel) => IDEMPOTENT.includes(channel)

/** Why an attempt was aborted. */
export type AbortCause = 'timeout' | 'expired' | 'cancelled' | 'closing' | 'lost'

export type AttemptResult =
  | { ok: true; accepted: Accepted }
  | { ok: false; error: unknown; aborted: AbortCause | undefined }

/** The number and start of an attempt. */
export interface AttemptStart {
  number: number
  startedAt: Date
}

/** Result of a message that a worker took, ready for the completer. */
export interface AttemptOutcome {
  message: MessageRow
  job: Job
  status: MessageStatus
  at: Date
  outcome: OutcomeRow['outcome']
  /** Undefined when no attempt was made. */
  attempt?: AttemptStart | undefined
  nextAttemptAt?: Date | undefined
  providerId?: string | undefined
  error?: LastError | undefined
  /** Of the attempt, successful or not. */
  httpStatus?: number | undefined
  retryAfterMs?: number | undefined
}

interface Taken {
  /** As it is during the attempt. */
  message: MessageRow
  job: Job
  at: Date
}

/**
 * The outcome of an attempt: `deliveryMachine` gives the next status, the functions below the time of the next attempt.
 * Undefined when another worker has the message by now.
 */
export function outcomeOf(
  taken: Taken & { attempt: AttemptStart },
  result: AttemptResult,
  random: () => number,
): AttemptOutcome | undefined {
  const { message, at } = taken
  if (result.ok) {
    const status = advance(message, { type: 'message.accepted' })
    const { providerId, status: httpStatus } = result.accepted
    return { ...taken, status, outcome: 'sent', providerId, httpStatus }
  }
  const { aborted } = result
  const failure = failureOf(result.error, message)
  const { code, status: httpStatus, retryAfterMs } = failure
  const error = lastErrorOf(failure)
  if (aborted === 'lost') return undefined
  if (aborted === 'expired') return expired(taken)
  if (aborted === 'cancelled')
    return { ...taken, status: advance(message, { type: 'message.cancelled' }), outcome: aborted }
  if (aborted === 'closing' && !failure.final)
    return { ...taken, status: advance(message, { type: 'message.released' }), outcome: 'released', error }
  if (WAITS.includes(code) && !failure.final && at.getTime() - message.createdAt.getTime() < FREE_WAIT_MS)
    return { ...taken, ...afterWait(message, at, retryAfterMs ?? 0), error, retryAfterMs }
  return { ...taken, ...afterFailure(message, failure, at, random), error, httpStatus, retryAfterMs }
}

/** Nothing was sent, so no attempt counts. */
function afterWait(message: MessageRow, at: Date, waitMs: number) {
  const nextAttemptAt = new Date(at.getTime() + waitMs)
  if (message.expiresAt && nextAttemptAt >= message.expiresAt)
    return { status: advance(message, { type: 'message.expired' }), outcome: 'expired' as const }
  return {
    status: advance(message, { type: 'message.released' }),
    outcome: 'released' as const,
    nextAttemptAt,
  }
}

function afterFailure(message: MessageRow, failure: AttemptFailure, at: Date, random: () => number) {
  const used = message.attempts - message.attemptsBefore > (failure.maxRetries ?? Infinity)
  const status = advance(message, { type: 'message.refused', final: failure.final || used })
  if (status !== 'retrying') return { status, outcome: 'failed' as const }
  const { retryDelayMs, attempts, attemptsBefore, expiresAt } = message
  const { retryAfterMs } = failure
  const delayMs = retryDelay(retryDelayMs, attempts - attemptsBefore, { retryAfterMs, random })
  const nextAttemptAt = new Date(at.getTime() + delayMs)
  // the message would expire before its next attempt
  if (expiresAt && nextAttemptAt >= expiresAt)
    return { status: advance(message, { type: 'message.expired' }), outcome: 'expired' as const }
  return { status, outcome: 'retrying' as const, nextAttemptAt }
}

/** The message expired, before an attempt or during one. */
export function expired(taken: Taken & { attempt?: AttemptStart }): AttemptOutcome {
  const status = advance(taken.message, { type: 'message.expired' })
  return { ...taken, status, outcome: 'expired', error: ownError(fail('MESSAGE_EXPIRED')) }
}

/** The worker was killed during an attempt. The message may have left, and the receiver would show a second copy. */
export function uncertain(taken: Taken): AttemptOutcome {
  const { channel, attempts: number, updatedAt: startedAt } = taken.message
  const status = advance(taken.message, { type: 'message.refused', final: true })
  return {
    ...taken,
    status,
    outcome: 'failed',
    attempt: { number, startedAt },
    error: ownError(fail('MESSAGE_UNCERTAIN', { channel })),
  }
}

interface AttemptFailure {
  code: string
  message: string
  details: Details | undefined
  status: number | undefined
  final: boolean
  /** Attempts after the first one at most, for this error. */
  maxRetries: number | undefined
  retryAfterMs: number | undefined
}

/** Reads the error of an attempt. After any error but a DeliveryError the message may have left all the same. */
export function failureOf(error: unknown, { channel }: Pick<Message, 'channel'>): AttemptFailure {
  const facts =
    error instanceof DeliveryError ? error : new DeliveryError({ ...ownFacts(error), uncertain: true })
  return {
    code: facts.code,
    message: truncate(facts.message),
    details: facts.details && JSON.stringify(facts.details).length <= MAX_DETAILS ? facts.details : undefined,
    status: facts.status,
    final: facts.final || facts.gone || (facts.uncertain && !isIdempotent(channel)),
    maxRetries: facts.maxRetries,
    retryAfterMs: facts.retryAfterMs,
  }
}

/** A bug's own words are its text; the message of the table would hide them. */
function ownFacts(error: unknown) {
  const { code, details } = asPorteiroError(error)
  return { code, message: reasonOf(error), details: code === 'BUG' ? undefined : details }
}

function ownError({ code, message, details }: PorteiroError): LastError {
  return { code, message, details }
}

/** The part of a failure that a message keeps. */
export function lastErrorOf({
  code,
  message,
  details,
  status,
}: Pick<AttemptFailure, 'code' | 'message' | 'details' | 'status'>): LastError {
  return { code, message, ...(status !== undefined && { status }), ...(details && { details }) }
}

function truncate(text: string): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= MAX_ERROR_BYTES) return text
  // a character cut in two would become three bytes
  const whole = new TextDecoder().decode(bytes.subarray(0, MAX_ERROR_BYTES - 4)).replace(/\uFFFD+$/, '')
  return `${whole}…`
}

export type DeliveryState = Pick<MessageRow, 'id' | 'status' | 'attempts' | 'attemptsBefore' | 'maxRetries'>

/** Statuses in the words of an error. */
const STATES: Record<MessageStatus, string> = {
  pending: 'is waiting',
  processing: 'is on its way',
  retrying: 'waits for its next try',
  sent: 'was sent before',
  failed: 'is dead',
  expired: 'expired before',
  cancelled: 'was cancelled before',
}

/** The machine's answers, by situation: it is pure, and there are only a few dozen situations. */
const answers = new Map<string, MessageStatus | undefined>()

/**
 * The status of a message after an event, by `deliveryMachine`. `attempts` are those before the event. Throws MESSAGE_STATE if
 * the machine does not accept the event in this status.
 */
export function advance(message: DeliveryState, event: DeliveryEvent): MessageStatus {
  const after = ask(message, event)
  if (after !== undefined) return after
  const { id: messageId, status } = message
  const wanted = event.type.slice('message.'.length)
  throw fail('MESSAGE_STATE', { messageId, status, state: STATES[status], event: wanted })
}

export function mayHappen(message: DeliveryState, event: DeliveryEvent): boolean {
  return ask(message, event) !== undefined
}

function ask({ status, attempts, attemptsBefore, maxRetries }: DeliveryState, event: DeliveryEvent) {
  const tries = attempts - attemptsBefore
  // all inputs of its guards
  const situation = [
    status,
    event.type,
    'final' in event && event.final,
    tries <= maxRetries,
    tries > 1,
  ].join()
  if (!answers.has(situation)) {
    const before = deliveryMachine.resolveState({ value: status, context: { maxRetries, tries } })
    const [after] = before.can(event) ? transition(deliveryMachine, before, event) : [undefined]
    answers.set(situation, after?.value)
  }
  return answers.get(situation)
}
