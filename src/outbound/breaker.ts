import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import { DeliveryError, undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { claimProbe, noteFailure, noteSuccess, readBreaker, releaseProbe } from './sql/breakers.ts'

/** Failures in a row that open it. */
const LIMIT = 5
/** ms of the first pause, and of the longest: each is twice the one before. */
const PAUSE_MS = 30_000
const LONGEST_PAUSE_MS = 600_000
/** ms for a probe to come back; one whose worker died must not keep the others out for ever. */
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
 * Leaves a receiver alone that fails again and again: closed → open for a pause → one probe (half open) → closed, or open for
 * twice as long. Its state is in the database, so that what one worker learns spares all.
 */
export function createBreaker({ database, log, limit = LIMIT, pauseMs = PAUSE_MS }: BreakerOptions) {
  /** Bookkeeping of a try must not change what came of it. */
  const note = async <T>(name: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work
    } catch (error) {
      log.warn(
        { endpoint: name, code: asPorteiroError(error).code, reason: reasonOf(error) },
        'a breaker does not answer',
      )
      return undefined
    }
  }

  return {
    /**
     * Runs one try. Rejects with ENDPOINT_PAUSED, nothing having been tried, or with what the try throws. `onOpened` is
     * called when this try opened it after it was closed, not for the pauses that follow.
     */
    async run<T>(name: string, attempt: () => Promise<T>, onOpened?: (opened: Opened) => void): Promise<T> {
      // without the database nothing is known, and a message that got this far should leave
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
          log.info({ endpoint: name }, 'an endpoint is well again')
        }
        return result
      } catch (error) {
        if (tellsOfIllness(error)) {
          const limits = { limit, pauseMs, maxPauseMs: LONGEST_PAUSE_MS }
          const opened = await note(name, noteFailure(database, name, limits))
          if (opened) {
            const { code } = error as DeliveryError
            const facts = { failures: opened.failures, pauseMs: opened.pauseMs, code }
            log.warn(
              { endpoint: name, code, failures: opened.failures, pause_ms: opened.pauseMs },
              'an endpoint is left alone',
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

/** The receiver did not answer, or said itself that something is wrong with it. */
function tellsOfIllness(error: unknown): boolean {
  if (!(error instanceof DeliveryError)) return false
  if (error.code === 'DELIVERY_STATUS') return error.status! >= 500 || error.status === 408
  return ['DELIVERY_TIMEOUT', 'DELIVERY_DNS', 'DELIVERY_TLS', 'DELIVERY_RESET'].includes(error.code)
}

/** It refused this message, and was well enough to do so. */
function answered(error: unknown): boolean {
  return error instanceof DeliveryError && error.code === 'DELIVERY_STATUS' && error.status !== 429
}
