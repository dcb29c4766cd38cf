import type { Decision, Outcome } from '../../../machines/index.ts'
import { asJsonb, counting, prepared, type Querier } from '../../platform/postgres/index.ts'
import { type CallSnapshot, deleteSnapshots, saveSnapshots } from './snapshots.ts'

export interface CallRow {
  /** The AudioSocket UUID, lower case with dashes. */
  id: string
  tenantId: string
  nodeId: string
  gate: string | null
  unitId: string | null
  unitNumber: string | null
  state: string
  startedAt: Date
  /** Null while the call lives; so is `outcome`. */
  endedAt: Date | null
  outcome: Outcome | null
  reason: string | null
  decision: unknown
  durations: unknown
}

export interface EventRow {
  callId: string
  /** Counts from 0 within the call. */
  seq: number
  at: Date
  kind: string
  leg: 'visitor' | 'resident' | null
  data: unknown
}

const COLUMNS = `id, tenant_id as "tenantId", node_id as "nodeId", gate, unit_id as "unitId",
  unit_number as "unitNumber", state, started_at as "startedAt", ended_at as "endedAt", outcome, reason, decision, durations`

interface WrittenBatch {
  calls: readonly CallRow[]
  events: readonly EventRow[]
  snapshots?: readonly CallSnapshot[]
  /** The process that writes; rows of calls that another process has taken over stay unchanged. */
  instance?: string | null
}

/**
 * Writes calls, events and snapshots with one statement each, in one transaction, so that a snapshot matches the call's events.
 * Safe to repeat after a failure. The last row of a call wins, but an ended call stays ended: a retried batch may arrive late.
 */
export async function writeBatch(
  database: Querier,
  { calls, events, snapshots = [], instance = null }: WrittenBatch,
): Promise<void> {
  if (calls.length > 0) {
    // Postgres cannot update a row twice in one statement
    const latest = [...new Map(calls.map((call) => [call.id, call])).values()]
    await database.query(UPSERT_CALLS, [asJsonb(latest), instance])
    const ended = latest.filter(({ endedAt }) => endedAt !== null)
    await deleteSnapshots(
      database,
      ended.map(({ id }) => id),
      instance,
    )
  }
  await saveSnapshots(database, snapshots)
  // last, because it takes a lock
  if (events.length > 0) await database.query(INSERT_EVENTS, [asJsonb(events), EVENTS_LOCK])
}

/** First half of an advisory lock's key ("pevt" in ASCII); the second is a hash of the schema. */
const EVENTS_LOCK = 0x70657674

const UPSERT_CALLS = `
  insert into calls (id, tenant_id, node_id, gate, unit_id, unit_number, state, started_at, ended_at, outcome, reason,
    decision, durations)
  select id, "tenantId", "nodeId", gate, "unitId", "unitNumber", state, "startedAt", "endedAt", outcome, reason,
    nullif(decision, 'null'), nullif(durations, 'null')
  from jsonb_to_recordset($1::jsonb) as batch (id uuid, "tenantId" text, "nodeId" text, gate text, "unitId" bigint,
    "unitNumber" text, state text, "startedAt" timestamptz, "endedAt" timestamptz, outcome text, reason text,
    decision jsonb, durations jsonb)
  -- in a fixed order: two batches that share calls would deadlock
  order by id
  on conflict (id) do update set
    tenant_id = excluded.tenant_id, node_id = excluded.node_id, gate = excluded.gate, unit_id = excluded.unit_id,
    unit_number = excluded.unit_number, state = excluded.state, started_at = excluded.started_at,
    ended_at = excluded.ended_at, outcome = excluded.outcome, reason = excluded.reason,
    -- a decision stands; only a later visit under the same UUID, once the first is over, has one of its own
    decision = case when calls.ended_at is null or calls.started_at = excluded.started_at
      then coalesce(calls.decision, excluded.decision) else excluded.decision end,
    durations = excluded.durations
  where (calls.ended_at is null or excluded.ended_at is not null)
    and not exists (select from kept_calls k where k.call_id = excluded.id and k.instance <> $2::uuid)`

/**
 * Writes the decision of a call, before anybody acts on it. May be repeated, also by another process after the call's own has
 * died. Resolves with the decision that stands: the first one.
 */
export async function keepDecision(
  transaction: Querier,
  call: CallRow & { decision: Decision },
): Promise<Decision> {
  const [row] = await transaction.query<{ decision: Decision }>(KEEP_DECISION, [asJsonb([call])])
  // a later visit under the UUID of one that is over: the row gets its decision when it ends
  return row?.decision ?? call.decision
}

/** The same; fails where another decision stands. */
export async function keepFirstDecision(
  transaction: Querier,
  call: CallRow & { decision: Decision },
): Promise<void> {
  await transaction.query(KEEP_FIRST_DECISION, [asJsonb([call]), call.decision.at])
}

const KEEP = `insert into calls (id, tenant_id, node_id, gate, unit_id, unit_number, state, started_at, decision)
  select id, "tenantId", "nodeId", gate, "unitId", "unitNumber", state, "startedAt", decision
  from jsonb_to_recordset($1::jsonb) as batch (id uuid, "tenantId" text, "nodeId" text, gate text, "unitId" bigint,
    "unitNumber" text, state text, "startedAt" timestamptz, decision jsonb)
  on conflict (id) do update set decision = coalesce(calls.decision, excluded.decision),
    -- it was ended as lost before its decision was known here
    outcome = case when calls.reason = 'fault' and calls.ended_at is not null and calls.decision is null
      then excluded.decision ->> 'verdict' else calls.outcome end
  where calls.ended_at is null or calls.started_at = excluded.started_at
  returning decision`
const KEEP_DECISION = prepared(KEEP)
const KEEP_FIRST_DECISION = prepared(
  counting(KEEP, `count(*) filter (where (decision -> 'at') = to_jsonb($2::float8))`),
)

// one batch at a time over all nodes: ids become visible in order, so a reader that has seen an id has missed none before it
const INSERT_EVENTS = `
  with turn as materialized (select pg_advisory_xact_lock($2, hashtext(current_schema())))
  insert into call_events (call_id, seq, at, kind, leg, data)
  select "callId", seq, at, kind, leg, coalesce(data, '{}')
  from turn, jsonb_to_recordset($1::jsonb) as batch ("callId" uuid, seq int, at timestamptz, kind text, leg text, data jsonb)
  on conflict do nothing`

export async function findCall(database: Querier, id: string): Promise<CallRow | undefined> {
  const [row] = await database.query<CallRow>(`select ${COLUMNS} from calls where id = $1`, [id])
  return row
}

interface CallFilter {
  tenantId?: string | undefined
  /** true: live calls only; false: ended calls only. */
  live?: boolean | undefined
  /** The outer state, such as `reaching`. */
  state?: string | undefined
  outcome?: Outcome | undefined
  unit?: string | undefined
  /** For pages: calls that started earlier; with `beforeId`, also those of the same moment with a lower id. */
  before?: Date | undefined
  beforeId?: string | undefined
  limit: number
}

/** Newest first. */
export function listCalls(
  database: Querier,
  { tenantId, live, state, outcome, unit, before, beforeId, limit }: CallFilter,
): Promise<CallRow[]> {
  return database.query<CallRow>(
    `select ${COLUMNS} from calls
     where ($1::text is null or tenant_id = $1)
       and ($2::boolean is null or (ended_at is null) = $2)
       and ($3::timestamptz is null or started_at < $3 or started_at = $3 and id < $4::uuid)
       and ($5::text is null or split_part(state, '.', 1) = $5)
       and ($6::text is null or outcome = $6)
       and ($7::text is null or unit_number = $7)
     order by started_at desc, id desc limit $8`,
    [
      tenantId ?? null,
      live ?? null,
      before ?? null,
      beforeId ?? null,
      state ?? null,
      outcome ?? null,
      unit ?? null,
      limit,
    ],
  )
}

/** The first `limit` events in the order they happened. */
export function eventsOf(database: Querier, id: string, limit: number): Promise<EventRow[]> {
  return database.query<EventRow>(
    `select call_id as "callId", seq, at, kind, leg, data from call_events
     where call_id = $1 order by seq limit $2`,
    [id, limit],
  )
}

/** Ids of the calls that ended at `since` or later, latest first: a restarted node must not start them again. */
export async function endedSince(database: Querier, since: Date, limit = 10_000): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    'select id from calls where ended_at >= $1 order by ended_at desc limit $2',
    [since, limit],
  )
  return rows.map((row) => row.id)
}

/**
 * Deletes at most `limit` calls that ended, or were lost, more than `days` ago, with their events. Resolves with their ids, for
 * the recordings; an empty list means that nothing is left to delete.
 */
export async function deleteOlderThan(database: Querier, days: number, limit = 1000): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `with gone as (
       delete from calls where id in (
         select id from calls where coalesce(ended_at, started_at) < now() - $1 * interval '1 day' limit $2
       ) returning id
     ), events as (
       delete from call_events using gone where call_id = gone.id
     )
     select id from gone`,
    [days, limit],
  )
  return rows.map((row) => row.id)
}
