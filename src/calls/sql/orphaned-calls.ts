import type { Outcome } from '../../../machines/index.ts'
import { LEASE_SECONDS } from '../../cluster/index.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { type EventRow, writeBatch } from './calls.ts'
import { deleteSnapshots, IS_ALIVE, LATE_SEQ } from './snapshots.ts'

/** A call that ended with its process. */
export interface OrphanedCall {
  id: string
  tenantId: string
  gate: string | null
  unit: { id: string; number: string } | null
  decision: { verdict: 'authorized' | 'denied'; by: string; via: string; at: number } | null
  outcome: Outcome
  /** Of a call that began anew under a used UUID: its messages have ids of their own. */
  beginning: string | null
  /** Next number of its journal. */
  seq: number
}

interface OrphanedCallsQuery {
  /** Maximum length of a call. */
  longestMs: number
  /** How long a snapshot waits for its visitor once its process is gone. */
  reattachSeconds: number
  /** Live calls of the asking process, which are never orphaned. */
  living: readonly string[]
  /** What the journal gets of an orphaned call. */
  eventsOf: (call: OrphanedCall) => EventRow[]
}

/**
 * Ends the rows of calls whose process was killed: calls with a snapshot whose visitor has not come back in time; calls without
 * a snapshot that began before every living process of their node; and calls older than the maximum. The snapshot is deleted
 * first: a visitor who comes back at this moment either gets the call or finds it ended. Their last events are written with them:
 * nobody would derive the messages of a call that is ended already.
 */
export async function endOrphanedRows(
  database: Database,
  { longestMs, reattachSeconds, living, eventsOf }: OrphanedCallsQuery,
): Promise<OrphanedCall[]> {
  return database.transaction(async (transaction) => {
    // a process counts as alive until its lease is over
    const patience = Math.max(reattachSeconds, LEASE_SECONDS)
    const givenUp = await transaction.query<{ id: string }>(
      `delete from kept_calls k
       where call_id <> all($2) and not ${IS_ALIVE}
         and greatest((select seen_at from nodes n where n.instance = k.instance), kept_at) < now() - $1 * interval '1 second'
       returning call_id as id`,
      [patience, living],
    )
    const lost = await transaction.query<OrphanedCall>(
      `with nodes_alive as (
         select node_id, min(started_at) as started_at from nodes
         where 'voice' = any(roles) and seen_at > now() - interval '${LEASE_SECONDS} seconds' group by node_id
       ), lost as (
         select id from calls c
         where ended_at is null and id <> all($3) and (
           id = any($2)
           or started_at < now() - $1 * interval '1 millisecond'
           or started_at < (select alive.started_at from nodes_alive alive where alive.node_id = c.node_id)
             and not exists (select from kept_calls k where k.call_id = c.id)
         ) order by id for update
       )
       update calls c set state = 'ended', ended_at = now(), outcome = coalesce(decision ->> 'verdict', 'abandoned'),
         reason = 'fault'
       from lost where c.id = lost.id
       returning c.id, tenant_id as "tenantId", gate, decision, outcome,
         case when unit_id is not null then jsonb_build_object('id', unit_id::text, 'number', unit_number) end as unit,
         (select data ->> 'beginning' from call_events e where e.call_id = c.id and kind = 'started'
          order by seq desc limit 1) as beginning,
         (select coalesce(max(seq) + 1, 0) from call_events e where e.call_id = c.id and seq < ${LATE_SEQ}) as seq`,
      [longestMs, givenUp.map(({ id }) => id), living],
    )
    await deleteSnapshots(
      transaction,
      lost.map(({ id }) => id),
      null,
    )
    await writeBatch(transaction, { calls: [], events: lost.flatMap(eventsOf) })
    return lost
  })
}
