import { type DetailsOf, type ErrorCode, PorteiroError } from '../errors.ts'
import { DeliveryError, type DeliveryFacts } from './delivery-error.ts'

/**
 * A DeliveryError with the words of the error table: `throw undelivered('DELIVERY_STATUS', { host, status }, { final:
 * true })`.
 */
export function undelivered<Code extends ErrorCode>(
  code: Code,
  details: DetailsOf<Code>,
  facts: Omit<DeliveryFacts, 'code' | 'message' | 'details'> = {},
): DeliveryError {
  return new DeliveryError({ code, message: new PorteiroError(code, details).message, details, ...facts })
}

/** Temporary 4xx statuses: request timeout, too early, too many requests. */
const PASSING = [408, 425, 429]

/** The error of an HTTP status; undefined for 2xx. `retryAfterMs` as requested by the receiver. */
export function refusalOf(
  host: string,
  { status, retryAfterMs }: { status: number; retryAfterMs?: number | undefined },
): DeliveryError | undefined {
  if (status >= 200 && status < 300) return undefined
  const final = status < 500 && !PASSING.includes(status)
  return undelivered(
    'DELIVERY_STATUS',
    { host, status },
    { status, final, gone: status === 410, ...(retryAfterMs !== undefined && { retryAfterMs }) },
  )
}

/** The longest Retry-After that is respected, in ms. */
const LONGEST_WAIT_MS = 24 * 60 * 60 * 1000

/** ms of a Retry-After header, in seconds or as a date (RFC 9110, 10.2.3); undefined if it is invalid. */
export function retryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS)
}
