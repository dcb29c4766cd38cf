import type { Querier } from '../../platform/postgres/index.ts'

/** What all workers know of a receiver's failures. */
interface BreakerRow {
  failures: number
  openings: number
  /** ms for which nobody should try; 0 while closed or when a probe is due. */
  waitMs: number
  /** It is open, and the next try is the probe. */
  probeDue: boolean
}

/** Undefined after a success: there is nothing to know. */
export async function readBreaker(database: Querier, name: string): Promise<BreakerRow | undefined> {
  const [row] = await database.query<BreakerRow>(
    `select failures, openings, open_until is not null as "probeDue",
       greatest(0, extract(epoch from greatest(open_until, probe_until) - clock_timestamp()) * 1000)::float8 as "waitMs"
     from breakers where name = $1`,
    [name],
  )
  return row && { ...row, waitMs: row.waitMs ?? 0 }
}

/** The one who gets true may try; nobody else for `probeMs`. */
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
 * One more failure. From `limit` in a row on it is open for `pauseMs`, doubled with each opening up to `maxPauseMs`. Resolves
 * with the pause in ms when this failure opened it, first or again; undefined otherwise. Failures of tries that began before
 * it opened count as one with those that opened it.
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
  // of workers that fail at once only one opens it
  const opened = await database.query(
    `update breakers set open_until = clock_timestamp() + $2 * interval '1 millisecond', probe_until = null,
       openings = openings + 1, updated_at = now()
     where name = $1 and openings = $3 and (open_until is null or open_until <= clock_timestamp()) returning name`,
    [name, pause, openings],
  )
  return opened.length > 0 ? { pauseMs: pause, failures, again: openings > 0 } : undefined
}

/** True when there was something to forget. */
export async function noteSuccess(database: Querier, name: string): Promise<boolean> {
  const rows = await database.query('delete from breakers where name = $1 returning name', [name])
  return rows.length > 0
}

/** A probe that told nothing: the next one may try at once. */
export async function releaseProbe(database: Querier, name: string): Promise<void> {
  await database.query('update breakers set probe_until = null where name = $1', [name])
}
