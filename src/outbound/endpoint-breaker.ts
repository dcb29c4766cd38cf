import { type Pass, throughBreaker } from '../platform/breaker.ts'
import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import { DeliveryError, undelivered } from '../platform/http-client/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier } from '../platform/postgres/index.ts'

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

export type EndpointBreaker = ReturnType<typeof createEndpointBreaker>

/**
 * Pauses a receiver that keeps failing: closed → open for a pause → one probe (half open) → closed, or open for twice as long.
 * The state is in the database, so that all workers share it.
 */
export function createEndpointBreaker({ database, log, limit = LIMIT, pauseMs = PAUSE_MS }: BreakerOptions) {
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

  const enter = async (name: string, onOpened?: (opened: Opened) => void) => {
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
    let closed = false
    const pass: Pass = {
      async works() {
        if (known) closed = (await note(name, noteSuccess(database, name))) ?? false
      },
      async fails(error) {
        const limits = { limit, pauseMs, maxPauseMs: LONGEST_PAUSE_MS }
        const opened = await note(name, noteFailure(database, name, limits))
        if (!opened) return
        const { code } = error as DeliveryError
        const facts = { failures: opened.failures, pauseMs: opened.pauseMs, code }
        log.warn(
          { endpoint: name, code, failures: opened.failures, pause_ms: opened.pauseMs },
          'an endpoint is paused',
        )
        if (!opened.again) onOpened?.(facts)
      },
      async unclear() {
        if (probing) await note(name, releaseProbe(database, name))
      },
    }
    return { pass, hasRecovered: () => probing && closed }
  }

  return {
    /**
     * Runs one attempt. Rejects with ENDPOINT_PAUSED without an attempt, or with the attempt's own error. Calls `onOpened` when
     * this attempt opened the closed breaker, not for the pauses that follow.
     */
    async run<T>(name: string, attempt: () => Promise<T>, onOpened?: (opened: Opened) => void): Promise<T> {
      const { pass, hasRecovered } = await enter(name, onOpened)
      const result = await throughBreaker(pass, attempt, judge)
      if (hasRecovered()) log.info({ endpoint: name }, 'an endpoint has recovered')
      return result
    },
  }
}

function judge(error: unknown): keyof Pass {
  if (isReceiverFailure(error)) return 'fails'
  return answered(error) ? 'works' : 'unclear'
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

/** A receiver's failures, shared by all workers. */
interface BreakerRow {
  failures: number
  openings: number
  /** Remaining pause in ms; 0 while the breaker is closed or a probe is due. */
  waitMs: number
  /** The breaker is open, and the next attempt is the probe. */
  probeDue: boolean
}

/** Undefined after a success. */
export async function readBreaker(database: Querier, name: string): Promise<BreakerRow | undefined> {
  const [row] = await database.query<BreakerRow>(
    `select failures, openings, open_until is not null as "probeDue",
       greatest(0, extract(epoch from greatest(open_until, probe_until) - clock_timestamp()) * 1000)::float8 as "waitMs"
     from breakers where name = $1`,
    [name],
  )
  return row && { ...row, waitMs: row.waitMs ?? 0 }
}

/** True for the one worker that may make the probe; false for all others for `probeMs`. */
async function claimProbe(database: Querier, name: string, probeMs: number): Promise<boolean> {
  const rows = await database.query(
    `update breakers set probe_until = clock_timestamp() + $2 * interval '1 millisecond', updated_at = now()
     where name = $1 and open_until <= clock_timestamp()
       and (probe_until is null or probe_until <= clock_timestamp())
     returning name`,
    [name, probeMs],
  )
  return rows.length > 0
}

/**
 * Records a failure. From `limit` failures in a row on, the breaker is open for `pauseMs`, doubled with each opening up
 * to `maxPauseMs`. Resolves with the pause in ms if this failure opened it, for the first time or again; otherwise
 * undefined. Failures of attempts that began before it opened do not count again.
 */
export async function noteFailure(
  database: Querier,
  name: string,
  { limit, pauseMs, maxPauseMs }: { limit: number; pauseMs: number; maxPauseMs: number },
): Promise<{ pauseMs: number; failures: number; again: boolean } | undefined> {
  const [row] = await database.query<{ failures: number; openings: number }>(
    `insert into breakers (name, failures) values ($1, 1)
     on conflict (name) do update set failures = breakers.failures + 1, updated_at = now()
     returning failures, openings`,
    [name],
  )
  const { failures, openings } = row!
  if (failures < limit) return undefined
  const pause = Math.min(maxPauseMs, pauseMs * 2 ** Math.min(openings, 16))
  // of workers that fail at the same time only one opens it
  const opened = await database.query(
    `update breakers set open_until = clock_timestamp() + $2 * interval '1 millisecond', probe_until = null,
       openings = openings + 1, updated_at = now()
     where name = $1 and openings = $3 and (open_until is null or open_until <= clock_timestamp()) returning name`,
    [name, pause, openings],
  )
  return opened.length > 0 ? { pauseMs: pause, failures, again: openings > 0 } : undefined
}

/** True if there were failures to delete. */
async function noteSuccess(database: Querier, name: string): Promise<boolean> {
  const rows = await database.query('delete from breakers where name = $1 returning name', [name])
  return rows.length > 0
}

/** A probe without a result: the next attempt may be a probe at once. */
async function releaseProbe(database: Querier, name: string): Promise<void> {
  await database.query('update breakers set probe_until = null where name = $1', [name])
}
