import type { Details } from '../errors.ts'

export interface DeliveryFacts {
  /** A code of the error table. */
  code: string
  message: string
  /** The details for the message. */
  details?: Details | undefined
  /** A retry would fail too: the message is dead. */
  final?: boolean
  /** Attempts after the first one at most, where a retry hardly helps; the message may allow fewer. */
  maxRetries?: number
  /** The message may have arrived: retry it only if the receiver deduplicates by id. */
  uncertain?: boolean
  /** Minimum delay of the next attempt in ms, as requested by the receiver. */
  retryAfterMs?: number
  /** HTTP status, if there was a response. */
  status?: number
  /** The endpoint is gone for good (410). */
  gone?: boolean
  cause?: unknown
}

/** The error of every channel: what went wrong, and whether another attempt makes sense. */
export class DeliveryError extends Error {
  readonly code: string
  readonly details: Details | undefined
  readonly final: boolean
  readonly maxRetries: number | undefined
  readonly uncertain: boolean
  readonly retryAfterMs: number | undefined
  readonly status: number | undefined
  readonly gone: boolean

  constructor(facts: DeliveryFacts) {
    super(facts.message, { cause: facts.cause })
    this.name = 'DeliveryError'
    this.code = facts.code
    this.details = facts.details
    this.final = facts.final ?? false
    this.maxRetries = facts.maxRetries
    this.uncertain = facts.uncertain ?? false
    this.retryAfterMs = facts.retryAfterMs
    this.status = facts.status
    this.gone = facts.gone ?? false
  }

  /** The same error with other facts. */
  with(facts: Partial<DeliveryFacts>): DeliveryError {
    const { code, message, details, final, uncertain, gone, cause } = this
    const { maxRetries, retryAfterMs, status } = this
    return new DeliveryError({
      code,
      message,
      details,
      final,
      uncertain,
      gone,
      cause,
      ...(maxRetries !== undefined && { maxRetries }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(status !== undefined && { status }),
      ...facts,
    })
  }
}
