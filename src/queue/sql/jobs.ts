import type { Database } from '../../platform/postgres/index.ts'
import { bossSchema } from '../queue.ts'
import { deadOf, type QueueName } from '../queues.ts'

interface JobCount {
  queue: QueueName
  priority: number
  /** `retrying`: due later. */
  status: 'pending' | 'retrying' | 'processing' | 'failed'
  count: number
  /** Age of the oldest one in s. */
  oldestSeconds: number
}

/** Counts the unfinished and dead jobs of these queues. pg-boss's own counts stand still while no worker lives. */
export function countJobs(database: Database, queues: readonly QueueName[]): Promise<JobCount[]> {
  const jobs = `${bossSchema(database)}.job`
  return database.query<JobCount>(
    `select queue, priority, status, count(*)::int as count,
       extract(epoch from now() - min(created_on))::float8 as "oldestSeconds"
     from (
       select name as queue, priority, created_on,
         case when start_after > now() then 'retrying' else 'pending' end as status
       from ${jobs} where name = any($1) and state < 'active'
       union all
       select name, priority, created_on, 'processing' from ${jobs} where name = any($1) and state = 'active'
       union all
       select names.queue, priority, created_on, 'failed'
       from ${jobs} join unnest($1::text[], $2::text[]) as names (queue, dead) on name = names.dead
       where state < 'active'
     ) as found group by queue, priority, status`,
    [queues, queues.map(deadOf)],
  )
}

/** s for which the longest due job of these queues has been waiting for a worker; null if none is due. */
export async function longestDueJob(
  database: Database,
  queues: readonly QueueName[],
): Promise<number | null> {
  const [row] = await database.query<{ seconds: number | null }>(
    `select extract(epoch from now() - min(start_after))::float8 as seconds
     from ${bossSchema(database)}.job where name = any($1) and state < 'active' and start_after <= now()`,
    [queues],
  )
  return row!.seconds
}

/** Jobs of a queue that came and that ended within the last `seconds`. Reads all of its jobs: finished ones are kept for an hour. */
export async function jobFlow(
  database: Database,
  queue: QueueName,
  seconds: number,
): Promise<{ came: number; ended: number }> {
  const [row] = await database.query<{ came: number; ended: number }>(
    `select count(*) filter (where created_on > now() - $2 * interval '1 second')::int as came,
       count(*) filter (where completed_on > now() - $2 * interval '1 second')::int as ended
     from ${bossSchema(database)}.job where name = $1`,
    [queue, seconds],
  )
  return row!
}
