import type { Decision } from '../../../machines/index.ts'
import { LEASE_SECONDS } from '../../cluster/index.ts'
import type { SpokenIntent } from '../../dialogue/index.ts'
import type { Role } from '../../platform/audio.ts'
import { asJsonb, type Querier } from '../../platform/postgres/index.ts'

/** A live call, in the form that another process can restore. */
export interface CallSnapshot {
  callId: string
  tenantId: string
  gate: string | null
  startedAt: Date
  /** The process that has it. */
  instance: string
  /** Version of the machines that made the snapshot. */
  machines: string
  /** The snapshot of XState, plain JSON. */
  snapshot: unknown
  facts: {
    visitor: { name: string | null; intent: SpokenIntent | null }
    /** The resident whom the visitor asked for; absent in snapshots of older versions, as `legs` is. */
    wanted?: string | null
    /** The UUIDs of telephones' legs by the attempt's id. */
    legs?: Record<string, string>
    /** Names of the visitor's recordings. */
    recordings: string[]
  }
}

/** Another process has the call and seems alive. */
export interface Elsewhere {
  is: 'elsewhere'
  instance: string
  nodeId: string
  /** Its last heartbeat. */
  seenAt: Date
  /** Its ports. */
  addresses: Partial<Record<Role, string>>
}

/** The call that a resident's leg names by its own UUID or by the call's, in another process. */
export interface LocatedCall extends Elsewhere {
  callId: string
  tenantId: string
}

/** The process that had the call before. */
export interface Before {
  instance: string
  /** Null if only the snapshot is left of that process. */
  nodeId: string | null
  /** ms since its last heartbeat or its last snapshot of the call: the visitor's silence is no longer than this. */
  silentMs: number
}

/** The call of a new connection's UUID, as the database has it. */
export type Recall =
  /** An unknown call, or one without a snapshot whose process ended; its journal continues at `seq`. */
  | { is: 'new'; seq: number; decision: Decision | null }
  | { is: 'ended' }
  /** The call belongs to this process from now on. */
  | { is: 'claimed'; call: CallSnapshot; seq: number; before: Before; decision: Decision | null }
  | Elsewhere

/** First number of events noted after a call's end (late-events.ts). */
export const LATE_SEQ = 1_000_000

/**
 * Whether the process of a row `k` is alive. A killed process leaves pg_stat_activity at once; a process whose machine lost
 * power counts as dead when its lease is over. The name is that of the process's LISTEN connection (src/cluster/topics.ts).
 */
export const IS_ALIVE = `exists (
  select from nodes alive where alive.instance = k.instance and alive.seen_at > now() - interval '${LEASE_SECONDS} seconds'
    and exists (select from pg_stat_activity
      where application_name = 'porteiro ' || k.instance and datname = current_database()))`

/** Writes all in one statement. Snapshots that a living process has taken over stay unchanged. */
export async function saveSnapshots(database: Querier, calls: readonly CallSnapshot[]): Promise<void> {
  if (calls.length === 0) return
  await database.query(
    `insert into kept_calls as k (call_id, tenant_id, gate, started_at, instance, machines, snapshot, facts, legs)
     select "callId", "tenantId", gate, "startedAt", instance, machines, snapshot, facts,
       array(select value::uuid from jsonb_each_text(coalesce(facts -> 'legs', '{}')))
     from jsonb_to_recordset($1::jsonb) as batch ("callId" uuid, "tenantId" text, gate text, "startedAt" timestamptz,
       instance uuid, machines text, snapshot jsonb, facts jsonb)
     -- in a fixed order: two batches that share calls would deadlock
     order by "callId"
     on conflict (call_id) do update set started_at = excluded.started_at, instance = excluded.instance,
       machines = excluded.machines, snapshot = excluded.snapshot, facts = excluded.facts, legs = excluded.legs,
       kept_at = now()
     where k.instance = excluded.instance or not ${IS_ALIVE}`,
    [asJsonb(calls)],
  )
}

/** Deletes only snapshots of `instance`; null: of any process. */
export async function deleteSnapshots(
  database: Querier,
  ids: readonly string[],
  instance: string | null,
): Promise<void> {
  if (ids.length === 0) return
  await database.query(
    'delete from kept_calls where call_id = any($1) and instance = coalesce($2, instance)',
    [ids, instance],
  )
}

interface Found extends Omit<CallSnapshot, 'callId' | 'instance'> {
  endedAt: Date | null
  /** The one in the books; the snapshot may be older. */
  decision: Decision | null
  seq: number
  /** Null without a snapshot. */
  instance: string | null
  isAlive: boolean
  seenAt: Date
  nodeId: string
  addresses: Partial<Record<Role, string>>
  silentMs: number
}

interface RecallQuery {
  /** Each once. */
  ids: readonly string[]
  /** The process that asks. */
  instance: string
}

/** In the order of the ids. */
async function find(database: Querier, ids: readonly string[]): Promise<Found[]> {
  return database.query<Found>(
    `select c.ended_at as "endedAt", c.decision, k.tenant_id as "tenantId", k.gate, k.started_at as "startedAt", k.instance, k.machines,
       k.snapshot, k.facts, n.node_id as "nodeId", n.addresses, ${IS_ALIVE} as "isAlive", n.seen_at as "seenAt",
       round(extract(epoch from now() - greatest(k.kept_at, n.seen_at)) * 1000)::float8 as "silentMs",
       (select coalesce(max(seq) + 1, 0) from call_events e where e.call_id = x.id and seq < ${LATE_SEQ}) as seq
     from unnest($1::uuid[]) with ordinality x (id, place)
     left join calls c on c.id = x.id
     left join kept_calls k on k.call_id = x.id
     left join nodes n on n.instance = k.instance
     order by x.place`,
    [ids],
  )
}

/** Live calls whose snapshot machines of this version cannot restore: they begin anew when their process ends. */
export async function countForeignSnapshots(database: Querier, machines: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    'select count(*)::int as count from kept_calls where machines <> $1',
    [machines],
  )
  return row!.count
}

/**
 * Looks up UUIDs in one query; results are in their order. `instance` claims the snapshots whose process is gone. Of several
 * processes that ask, one gets each snapshot.
 */
export async function claimCalls(database: Querier, query: RecallQuery): Promise<Recall[]> {
  const { ids, instance } = query
  const found = await find(database, ids)
  const isFree = ({ endedAt, isAlive, instance: owner }: Found) =>
    endedAt === null && owner !== null && (!isAlive || owner === instance)
  const free = found.flatMap((one, at) => (isFree(one) ? [{ id: ids[at]!, owner: one.instance! }] : []))
  const taken = new Set(await take(database, free, instance))
  const recalls: Recall[] = []
  for (const [at, one] of found.entries()) {
    const {
      endedAt,
      decision,
      seq,
      instance: owner,
      isAlive: _,
      seenAt,
      nodeId,
      addresses,
      silentMs,
      ...snapshot
    } = one
    const callId = ids[at]!
    if (endedAt !== null) recalls.push({ is: 'ended' })
    else if (owner === null) recalls.push({ is: 'new', seq, decision })
    else if (taken.has(callId)) {
      const before = { instance: owner, nodeId, silentMs }
      recalls.push({ is: 'claimed', call: { ...snapshot, callId, instance }, seq, before, decision })
    } else if (!isFree(one)) recalls.push({ is: 'elsewhere', instance: owner, nodeId, seenAt, addresses })
    // another process claimed it first
    else recalls.push(...(await claimCalls(database, { ...query, ids: [callId] })))
  }
  return recalls
}

/** Claims for `instance` those that still belong to `owner`; resolves with the claimed ids. */
async function take(
  database: Querier,
  free: readonly { id: string; owner: string }[],
  instance: string,
): Promise<string[]> {
  if (free.length === 0) return []
  const rows = await database.query<{ id: string }>(
    `update kept_calls k set instance = $3 from unnest($1::uuid[], $2::uuid[]) as free (id, owner)
     where k.call_id = free.id and k.instance = free.owner returning k.call_id as id`,
    [free.map(({ id }) => id), free.map(({ owner }) => owner), instance],
  )
  return rows.map(({ id }) => id)
}

/** The process in which a call lives, by its UUID or that of a telephone's leg, unless it is `instance`. Claims nothing. */
export async function locateCall(
  database: Querier,
  { uuid, instance }: { uuid: string; instance: string },
): Promise<LocatedCall | undefined> {
  const [named] = await database.query<{ callId: string }>(
    `select call_id as "callId" from kept_calls
     where call_id = $1 or legs @> array[$1::uuid]`,
    [uuid],
  )
  if (!named) return undefined
  const { callId } = named
  const [found] = await find(database, [callId])
  const { endedAt, instance: owner, isAlive, tenantId, nodeId, seenAt, addresses } = found!
  if (endedAt !== null || owner === null || owner === instance || !isAlive) return undefined
  return { is: 'elsewhere', callId, tenantId, instance: owner, nodeId, seenAt, addresses }
}

/**
 * Those of these calls whose process is gone and whose snapshot waits for the visitor to connect again. Each process is checked
 * once, however many calls it had.
 */
export async function callsAwaitingVisitor(
  database: Querier,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const rows = await database.query<{ id: string }>(
    `with asked as materialized (select call_id, instance from kept_calls where call_id = any($1)),
       gone as (select instance from (select distinct instance from asked) k where not ${IS_ALIVE})
     select call_id as id from asked join gone using (instance)`,
    [ids],
  )
  return new Set(rows.map(({ id }) => id))
}

/**
 * Whether a process that took calls on another node has ended without signing off. Its disk may know calls that the database does not:
 * those of the time that it was without a database. A successor that has run for a minute has had its visitors back.
 */
export async function lacksProcess(database: Querier, nodeId: string): Promise<boolean> {
  const rows = await database.query(
    `select from nodes k where k.node_id <> $1 and 'voice' = any(k.roles) and not ${IS_ALIVE}
       and not exists (select from nodes o where o.node_id = k.node_id and o.roles && k.roles
         and o.started_at > k.started_at and o.started_at < now() - interval '1 minute') limit 1`,
    [nodeId],
  )
  return rows.length > 0
}

/** Whether the call is live, or waits for its visitor to connect again. */
export async function hasSnapshot(database: Querier, callId: string): Promise<boolean> {
  const rows = await database.query('select from kept_calls where call_id = $1', [callId])
  return rows.length > 0
}
