import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import { DeliveryError, undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { claimProbe, noteFailure, noteSuccess, readBreaker, releaseProbe } from './sql/breakers.ts'

/** Failures in a row that open a breaker. */
const LIMIT = 5
/** ms of the first pause and of the longest; each is twice the previous one. */
const PAUSE_MS = 30_000
const LONGEST_PAUSE_MS = 600_000
/** ms for a probe; if its worker died, another probe may start after that. */
const PROBE_MS = 30_000

interface Opened {
  failures: number
  pauseMs: number
  /** The code of the last failure. */
  code: string
}

interface BreakerOptions {
  database: Querier
  log: Logger
  limit?: number
  pauseMs?: number
}

export type Breaker = ReturnType<typeof createBreaker>

/**
 * Pauses a receiver that keeps failing: closed → open for a pause → one probe (half open) → closed, or open for twice as long.
 * The state is in the database, so that all workers share it.
 */
export function createBreaker({ database, log, limit = LIMIT, pauseMs = PAUSE_MS }: BreakerOptions) {
  /** An error here must not change the result of the attempt. */
  const note = async <T>(name: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work
    } catch (error) {
      log.warn(
        { endpoint: name, code: asPorteiroError(error).code, reason: reasonOf(error) },
        'cannot read or write a breaker',
      )
      return undefined
    }
  }

  return {
    /**
     * Runs one attempt. Rejects with ENDPOINT_PAUSED without an attempt, or with the attempt's own error. Calls `onOpened` when
     * this attempt opened the closed breaker, not for the pauses that follow.
     */
    async run<T>(name: string, attempt: () => Promise<T>, onOpened?: (opened: Opened) => void): Promise<T> {
      // without the database the breaker counts as closed: a message that got this far should leave
      const known = await note(name, readBreaker(database, name))
      const paused = (waitMs: number) =>
        undelivered(
          'ENDPOINT_PAUSED',
          { endpoint: name, failures: known!.failures, seconds: Math.ceil(waitMs / 1000) },
          { retryAfterMs: Math.max(1000, Math.ceil(waitMs)) },
        )
      if (known && known.waitMs > 0) throw paused(known.waitMs)
      const probing = known?.probeDue ?? false
      if (probing && !(await claimProbe(database, name, PROBE_MS))) throw paused(PROBE_MS / 10)
      try {
        const result = await attempt()
        if (known && (await note(name, noteSuccess(database, name))) && probing) {
          log.info({ endpoint: name }, 'an endpoint has recovered')
        }
        return result
      } catch (error) {
        if (isReceiverFailure(error)) {
          const limits = { limit, pauseMs, maxPauseMs: LONGEST_PAUSE_MS }
          const opened = await note(name, noteFailure(database, name, limits))
          if (opened) {
            const { code } = error as DeliveryError
            const facts = { failures: opened.failures, pauseMs: opened.pauseMs, code }
            log.warn(
              { endpoint: name, code, failures: opened.failures, pause_ms: opened.pauseMs },
              'an endpoint is paused',
            )
            if (!opened.again) onOpened?.(facts)
          }
        } else if (known && answered(error)) await note(name, noteSuccess(database, name))
        else if (probing) await note(name, releaseProbe(database, name))
        throw error
      }
    },
  }
}

/** The receiver did not answer, or reported an error of its own. */
function isReceiverFailure(error: unknown): boolean {
  if (!(error instanceof DeliveryError)) return false
  if (error.code === 'DELIVERY_STATUS') return error.status! >= 500 || error.status === 408
  return ['DELIVERY_TIMEOUT', 'DELIVERY_DNS', 'DELIVERY_TLS', 'DELIVERY_RESET'].includes(error.code)
}

/** The receiver works: it answered, and refused this message. */
function answered(error: unknown): boolean {
  return error instanceof DeliveryError && error.code === 'DELIVERY_STATUS' && error.status !== 429
}
