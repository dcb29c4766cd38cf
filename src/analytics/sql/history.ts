import type { Querier } from '../../platform/postgres/index.ts'
import type { RollupKind } from '../kinds.ts'

interface HistoryQuery {
  from: Date
  to: Date
  step: 'hour' | 'day'
  /** Where days begin: a name of the IANA database. */
  timeZone: string
  by: 'outcome' | 'channel' | 'tenant'
  tenantId?: string | undefined
  channel?: string | undefined
  outcome?: string | undefined
}

interface Point {
  /** Begin of the hour or day. */
  at: Date
  /** The outcome, channel or tenant. */
  key: string
  count: number
}

interface MessagePoint extends Point {
  /** With a receipt. */
  delivered: number
  read: number
  /** From enqueue to sent, ms: mean and maximum of those that were sent; null where none was. */
  deliverMs: number | null
  deliverMsMax: number | null
  /** Sent within so many s. */
  within1: number
  within10: number
  within60: number
  within600: number
  within3600: number
}

interface CallPoint extends Point {
  /** Mean length, ms. */
  totalMs: number | null
  answered: number
  /** Means from the beginning of the call, ms. */
  answerMs: number | null
  decided: number
  decisionMs: number | null
}

const COLUMNS = { outcome: 'outcome', channel: 'channel', tenant: 'tenant_id' } as const

const WITHIN = `where hour >= $1 and hour < $2 and ($5::text is null or tenant_id = $5)
  and ($6::text is null or outcome = $6)`

/** Points in the order of time; an hour or day without messages has none. */
export function readMessages(
  database: Querier,
  { from, to, step, timeZone, by, tenantId, channel, outcome }: HistoryQuery,
): Promise<MessagePoint[]> {
  return database.query<MessagePoint>(
    `select date_trunc($3, hour, $4) as at, ${COLUMNS[by]} as key, sum(count)::int as count,
       sum(delivered)::int as delivered, sum(read)::int as read,
       (sum(deliver_ms) / nullif(sum(count) filter (where outcome = 'sent'), 0))::float8 as "deliverMs",
       (max(deliver_ms_max) filter (where outcome = 'sent'))::float8 as "deliverMsMax",
       sum(within_1s)::int as "within1", sum(within_10s)::int as "within10", sum(within_1m)::int as "within60",
       sum(within_10m)::int as "within600", sum(within_1h)::int as "within3600"
     from message_rollups ${WITHIN} and ($7::text is null or channel = $7)
     group by 1, 2 order by 1, 2`,
    [from, to, step, timeZone, tenantId ?? null, outcome ?? null, channel ?? null],
  )
}

/** The same of calls, by outcome or tenant. */
export function readCalls(
  database: Querier,
  { from, to, step, timeZone, by, tenantId, outcome }: HistoryQuery,
): Promise<CallPoint[]> {
  return database.query<CallPoint>(
    `select date_trunc($3, hour, $4) as at, ${by === 'tenant' ? 'tenant_id' : 'outcome'} as key,
       sum(count)::int as count, (sum(total_ms) / nullif(sum(count), 0))::float8 as "totalMs",
       sum(answered)::int as answered, (sum(answer_ms) / nullif(sum(answered), 0))::float8 as "answerMs",
       sum(decided)::int as decided, (sum(decision_ms) / nullif(sum(decided), 0))::float8 as "decisionMs"
     from call_rollups ${WITHIN}
     group by 1, 2 order by 1, 2`,
    [from, to, step, timeZone, tenantId ?? null, outcome ?? null],
  )
}

/** When the newest hour was last counted; null: never. */
export async function countedAt(database: Querier, kind: RollupKind): Promise<Date | null> {
  const [row] = await database.query<{ at: Date }>(
    'select computed_at as at from rollup_hours where kind = $1 order by hour desc limit 1',
    [kind],
  )
  return row?.at ?? null
}
