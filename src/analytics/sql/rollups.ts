import type { Querier, Transaction } from '../../platform/postgres/index.ts'
import type { RollupKind } from '../kinds.ts'

/** Days that counts are kept: two years and a day of summer time. */
const ROLLUP_DAYS = 732
/** An hour is computed anew once its counts are older than this part of its age: the last ones each minute, old ones rarely. */
const AGE_PART = 24
/** s between two computations of the same hour at least. */
const LEAST_SECONDS = 50

/** The first row of a kind that may be counted. */
const FIRST: Record<RollupKind, string> = {
  messages: 'select min(created_at) as at from messages',
  calls: 'select min(ended_at) as at from calls where ended_at is not null',
}

const COUNTS: Record<RollupKind, string> = {
  messages: `insert into message_rollups
    select hours.hour, tenant_id, channel, outcome, count(*), count(delivered_at), count(read_at),
      coalesce(sum(ms), 0), coalesce(max(ms), 0), count(*) filter (where ms <= 1000),
      count(*) filter (where ms <= 10000), count(*) filter (where ms <= 60000),
      count(*) filter (where ms <= 600000), count(*) filter (where ms <= 3600000)
    from unnest($1::timestamptz[]) as hours (hour)
    cross join lateral (
      select tenant_id, channel, delivered_at, read_at,
        case when status in ('pending', 'processing', 'retrying') then 'waiting' else status end as outcome,
        case when status = 'sent'
          then greatest(0, extract(epoch from sent_at - created_at) * 1000)::bigint end as ms
      from messages
      where created_at >= hours.hour and created_at < hours.hour + interval '1 hour'
    ) as counted
    group by hours.hour, tenant_id, channel, outcome`,
  calls: `insert into call_rollups
    select hours.hour, tenant_id, outcome, count(*), coalesce(sum(total), 0), count(answer), coalesce(sum(answer), 0),
      count(decision), coalesce(sum(decision), 0)
    from unnest($1::timestamptz[]) as hours (hour)
    cross join lateral (
      select tenant_id, coalesce(outcome, 'abandoned') as outcome, (durations ->> 'total')::float8::bigint as total,
        (durations ->> 'toAnswer')::float8::bigint as answer,
        (durations ->> 'toDecision')::float8::bigint as decision
      from calls
      where ended_at >= hours.hour and ended_at < hours.hour + interval '1 hour'
    ) as counted
    group by hours.hour, tenant_id, outcome`,
}

const TABLES: Record<RollupKind, string> = { messages: 'message_rollups', calls: 'call_rollups' }

interface DueQuery {
  kind: RollupKind
  now: Date
  /** Rows are kept for so long; an hour that has lost some is not computed any more. */
  retentionDays: number
  limit: number
}

/** Hours to compute, newest first. */
export async function dueHours(
  database: Querier,
  { kind, now, retentionDays, limit }: DueQuery,
): Promise<Date[]> {
  const rows = await database.query<{ hour: Date }>(
    `with first as (${FIRST[kind]})
     select hours.hour from first, generate_series(
       greatest(
         date_trunc('hour', first.at, 'UTC'),
         date_trunc('hour', $2::timestamptz - $3 * interval '1 day', 'UTC') + interval '1 hour'
       ),
       date_trunc('hour', $2::timestamptz, 'UTC'), interval '1 hour'
     ) as hours (hour)
     left join rollup_hours as known on known.kind = $1 and known.hour = hours.hour
     where first.at is not null and (
       known.computed_at is null
       or $2 - known.computed_at >= greatest($4 * interval '1 second', ($2 - hours.hour) / $5)
     )
     order by hours.hour desc limit $6`,
    [kind, now, retentionDays, LEAST_SECONDS, AGE_PART, limit],
  )
  return rows.map(({ hour }) => hour)
}

/** Replaces the counts of these hours. False if another process is doing it. */
export async function computeHours(
  transaction: Transaction,
  { kind, hours, now }: { kind: RollupKind; hours: readonly Date[]; now: Date },
): Promise<boolean> {
  const [lock] = await transaction.query<{ free: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext(current_schema() || '.rollups.' || $1)) as free`,
    [kind],
  )
  if (!lock!.free) return false
  await transaction.query(`delete from ${TABLES[kind]} where hour = any($1)`, [hours])
  await transaction.query(COUNTS[kind], [hours])
  await transaction.query(
    `insert into rollup_hours select $1, unnest($2::timestamptz[]), $3
     on conflict (kind, hour) do update set computed_at = excluded.computed_at`,
    [kind, hours, now],
  )
  return true
}

/** Deletes counts of more than two years ago. Resolves with their number. */
export async function deleteOldRollups(database: Querier): Promise<number> {
  const rows = await database.query<{ count: number }>(
    `with messages as (delete from message_rollups where hour < now() - $1 * interval '1 day' returning 1),
       calls as (delete from call_rollups where hour < now() - $1 * interval '1 day' returning 1),
       hours as (delete from rollup_hours where hour < now() - $1 * interval '1 day')
     select ((select count(*) from messages) + (select count(*) from calls))::int as count`,
    [ROLLUP_DAYS],
  )
  return rows[0]!.count
}
