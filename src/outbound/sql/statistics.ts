import type { Querier } from '../../platform/postgres/index.ts'
import type { RowStatus } from './messages.ts'

interface MessageCount {
  queue: string
  tenantId: string
  priority: number
  status: Exclude<RowStatus, 'sent'>
  count: number
  /** Age of the oldest one in s. */
  oldestSeconds: number
}

/** Counts messages except sent ones; counting those would scan all messages. */
export function countMessages(database: Querier, tenantId?: string): Promise<MessageCount[]> {
  return database.query<MessageCount>(
    `select queue, tenant_id as "tenantId", priority, status, count(*)::int as count,
       extract(epoch from now() - min(created_at))::float8 as "oldestSeconds"
     from messages where status <> 'sent' and ($1::text is null or tenant_id = $1)
     group by queue, tenant_id, priority, status`,
    [tenantId ?? null],
  )
}

/** Ended attempts and dead messages of all workers that are still recorded. */
export async function countWork(
  database: Querier,
): Promise<{ processed: number; failed: number; processing: number }> {
  const [row] = await database.query<{ processed: number; failed: number; processing: number }>(
    `select coalesce(sum(processed), 0)::float8 as processed, coalesce(sum(failed), 0)::float8 as failed,
       coalesce(sum(processing) filter (where stopped_at is null and seen_at > now() - interval '60 seconds'), 0)::int
         as processing
     from workers`,
  )
  return row!
}

interface RecentCount {
  queue: string
  tenantId: string
  priority: number
  sent: number
  died: number
}

/** Messages that were sent or died since then. Ignores messages enqueued more than a day earlier. */
export function countRecent(database: Querier, since: Date, tenantId?: string): Promise<RecentCount[]> {
  return database.query<RecentCount>(
    `select queue, tenant_id as "tenantId", priority,
       -- a receipt that comes later is no second delivery
       count(*) filter (where status = 'sent' and sent_at >= $1)::int as sent,
       count(*) filter (where status in ('failed', 'expired'))::int as died
     from messages
     where created_at >= $1::timestamptz - interval '1 day' and ($2::text is null or tenant_id = $2)
       and status in ('sent', 'failed', 'expired') and updated_at >= $1
     group by queue, tenant_id, priority`,
    [since, tenantId ?? null],
  )
}

/**
 * s for which the longest due message has been waiting for a worker; null if none is due. Ignores messages that an operator
 * has paused.
 */
export async function longestDueMessage(database: Querier, tenantId?: string): Promise<number | null> {
  const [row] = await database.query<{ seconds: number | null }>(
    `select extract(epoch from now() - min(coalesce(next_attempt_at, created_at)))::float8 as seconds
     from messages
     where status in ('pending', 'retrying') and (next_attempt_at is null or next_attempt_at <= now())
       and ($1::text is null or tenant_id = $1)
       and (priority = 10 or not exists (
         select from pauses where pauses.tenant_id is null or pauses.tenant_id = messages.tenant_id
       ))`,
    [tenantId ?? null],
  )
  return row!.seconds
}
