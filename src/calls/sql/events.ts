import type { Querier } from '../../platform/postgres/index.ts'
import type { EventRow } from './calls.ts'

/** An event with its position among the events of all calls. */
export interface PlacedEvent extends EventRow {
  /** Increases in the order in which events became visible. */
  id: number
  /** Null until the call's row is written. */
  tenantId: string | null
}

/** The events after `after` in order: of all tenants, or of one tenant and calls whose tenant is not known yet. */
export async function eventsAfter(
  database: Querier,
  { after, tenantId, limit }: { after: number; tenantId?: string | undefined; limit: number },
): Promise<PlacedEvent[]> {
  const rows = await database.query<Omit<PlacedEvent, 'id'> & { id: string }>(
    `select e.id, e.call_id as "callId", e.seq, e.at, e.kind, e.leg, e.data, c.tenant_id as "tenantId"
     from call_events e left join calls c on c.id = e.call_id
     where e.id > $1 and ($2::text is null or c.tenant_id = $2 or c.id is null) order by e.id limit $3`,
    [after, tenantId ?? null, limit],
  )
  return rows.map((row) => ({ ...row, id: Number(row.id) }))
}

/** The events of these kinds after `after` and up to `upTo`, in order. */
export async function eventsOfKinds(
  database: Querier,
  { kinds, after, upTo, limit }: { kinds: readonly string[]; after: number; upTo: number; limit: number },
): Promise<(EventRow & { id: number })[]> {
  const rows = await database.query<EventRow & { id: string }>(
    `select id, call_id as "callId", seq, at, kind, leg, data from call_events
     where id > $1 and id <= $2 and kind = any($3) order by id limit $4`,
    [after, upTo, kinds, limit],
  )
  return rows.map((row) => ({ ...row, id: Number(row.id) }))
}

/** The events about states and legs of these calls, by call and in order. */
export async function stateEventsOf(
  database: Querier,
  callIds: readonly string[],
): Promise<Map<string, EventRow[]>> {
  const rows = await database.query<EventRow>(
    `select call_id as "callId", seq, at, kind, leg, data from call_events
     where call_id = any($1::uuid[]) and kind in ('state', 'leg.connected', 'leg.closed') order by call_id, seq`,
    [callIds],
  )
  return Map.groupBy(rows, ({ callId }) => callId)
}

/** Id of the latest event; 0 if there is none. */
export async function lastEventId(database: Querier): Promise<number> {
  const [row] = await database.query<{ id: string }>('select coalesce(max(id), 0) as id from call_events')
  return Number(row!.id)
}
