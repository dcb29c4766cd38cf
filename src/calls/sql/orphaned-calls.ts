import type { Outcome } from '../../../machines/index.ts'
import { LEASE_SECONDS } from '../../cluster/index.ts'
import { asJsonb, type Database } from '../../platform/postgres/index.ts'
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
  /** `fault`, unless both legs had heard their goodbye. */
  reason: string | null
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

/** How a call ended whose goodbyes had begun when its snapshot was taken; else null. */
const ENDING = `case when (snapshot #>> '{children,concluding,snapshot,context,farewellAt}')::float8 > 0
  then snapshot #> '{context,ending}' end`

/**
 * Ends the rows of calls whose process was killed: calls with a snapshot whose visitor has not come back in time; calls without
 * a snapshot that began before every living process of their node; and calls older than the maximum. The snapshot is deleted
 * first: a visitor who comes back at this moment either gets the call or finds it ended. A call whose goodbyes had begun ends as it was
 * about to. Their last events are written with them:
 * nobody would derive the messages of a call that is ended already.
 */
export async function endOrphanedRows(
  database: Database,
  { longestMs, reattachSeconds, living, eventsOf }: OrphanedCallsQuery,
): Promise<OrphanedCall[]> {
  return database.transaction(async (transaction) => {
    // a process counts as alive until its lease is over
    const patience = Math.max(reattachSeconds, LEASE_SECONDS)
    const givenUp = await transaction.query<{ id: string; ending: { outcome: Outcome } | null }>(
      `delete from kept_calls k
       where call_id <> all($2) and not ${IS_ALIVE}
         and greatest((select seen_at from nodes n where n.instance = k.instance), kept_at) < now() - $1 * interval '1 second'
       returning call_id as id, ${ENDING} as ending`,
      [patience, living],
    )
    const lost = await transaction.query<OrphanedCall>(
      `with nodes_alive as (
         select node_id, min(started_at) as started_at from nodes
         where 'voice' = any(roles) and seen_at > now() - interval '${LEASE_SECONDS} seconds' group by node_id
       ), given_up as (
         select * from jsonb_to_recordset($2::jsonb) as batch (id uuid, ending jsonb)
       ), lost as (
         select id, decision from calls c
         where ended_at is null and id <> all($3) and (
           id in (select id from given_up)
           or started_at < now() - $1 * interval '1 millisecond'
           or started_at < (select alive.started_at from nodes_alive alive where alive.node_id = c.node_id)
             and not exists (select from kept_calls k where k.call_id = c.id)
         ) order by id for update
       )
       -- a decision that is not in the books is not durable
       update calls c set state = 'ended', ended_at = now(), outcome = booked.outcome,
         reason = case when booked.outcome = ending ->> 'outcome' then ending ->> 'reason' else 'fault' end
       from lost left join given_up using (id), lateral (
         select coalesce(lost.decision ->> 'verdict',
           case when ending ->> 'outcome' not in ('authorized', 'denied') then ending ->> 'outcome' end, 'abandoned') as outcome
       ) booked
       where c.id = lost.id
       returning c.id, c.tenant_id as "tenantId", c.gate, c.decision, c.outcome, c.reason,
         case when c.unit_id is not null then jsonb_build_object('id', c.unit_id::text, 'number', c.unit_number) end as unit,
         (select data ->> 'beginning' from call_events e where e.call_id = c.id and kind = 'started'
          order by seq desc limit 1) as beginning,
         (select coalesce(max(seq) + 1, 0) from call_events e where e.call_id = c.id and seq < ${LATE_SEQ}) as seq`,
      [longestMs, asJsonb(givenUp), living],
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
