import type { Querier } from '../../platform/postgres/index.ts'

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
export async function claimProbe(database: Querier, name: string, probeMs: number): Promise<boolean> {
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
export async function noteSuccess(database: Querier, name: string): Promise<boolean> {
  const rows = await database.query('delete from breakers where name = $1 returning name', [name])
  return rows.length > 0
}

/** A probe without a result: the next attempt may be a probe at once. */
export async function releaseProbe(database: Querier, name: string): Promise<void> {
  await database.query('update breakers set probe_until = null where name = $1', [name])
}
