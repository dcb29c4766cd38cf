import type { Details } from '../errors.ts'

export interface DeliveryFacts {
  /** One of the error table's codes. */
  code: string
  message: string
  /** What the message names. */
  details?: Details | undefined
  /** Trying again would end the same way: the message is dead. */
  final?: boolean
  /** It may have arrived all the same: only what the other side recognises by its id may be tried again. */
  uncertain?: boolean
  /** Not before so many ms, by the word of the other side. */
  retryAfterMs?: number
  /** HTTP status, where there was one. */
  status?: number
  /** The other side never wants to hear of this endpoint again (410). */
  gone?: boolean
  cause?: unknown
}

/** What every channel throws: what went wrong, and whether another try makes sense. */
export class DeliveryError extends Error {
  readonly code: string
  readonly details: Details | undefined
  readonly final: boolean
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
    this.uncertain = facts.uncertain ?? false
    this.retryAfterMs = facts.retryAfterMs
    this.status = facts.status
    this.gone = facts.gone ?? false
  }
}
