import type { Querier } from '../../platform/postgres/index.ts'

export interface WorkerRow {
  id: string
  node: string
  role: string
  startedAt: Date
  seenAt: Date
  stoppedAt: Date | null
  /** Attempts that ended, well or not, since the worker started. */
  processed: number
  /** Those that ended a message or job for good. */
  failed: number
  /** Attempts under way. */
  processing: number
  /** Fetched jobs that wait for their turn in this process. */
  waiting: number
}

export async function writeWorker(
  database: Querier,
  worker: Omit<WorkerRow, 'seenAt' | 'stoppedAt'> & { stopped: boolean },
): Promise<void> {
  await database.query(
    `insert into workers (id, node, role, started_at, seen_at, stopped_at, processed, failed, processing, waiting)
     values ($1, $2, $3, $4, now(), case when $5 then now() end, $6, $7, $8, $9)
     on conflict (id) do update set seen_at = excluded.seen_at, stopped_at = excluded.stopped_at,
       processed = excluded.processed, failed = excluded.failed, processing = excluded.processing,
       waiting = excluded.waiting`,
    [
      worker.id,
      worker.node,
      worker.role,
      worker.startedAt,
      worker.stopped,
      worker.processed,
      worker.failed,
      worker.processing,
      worker.waiting,
    ],
  )
}

/** Workers with a heartbeat within `seconds` that have not stopped, the longest running first. */
export function liveWorkers(database: Querier, seconds: number): Promise<WorkerRow[]> {
  return database.query<WorkerRow>(
    `select id, node, role, started_at as "startedAt", seen_at as "seenAt", stopped_at as "stoppedAt",
       processed::float8 as processed, failed::float8 as failed, processing, waiting
     from workers where stopped_at is null and seen_at > now() - $1 * interval '1 second' order by started_at`,
    [seconds],
  )
}

/** Deletes the rows of workers without a heartbeat for `days`. */
export async function deleteOldWorkers(database: Querier, days: number): Promise<void> {
  await database.query(`delete from workers where seen_at < now() - $1 * interval '1 day'`, [days])
}
