import type { Querier } from '../../platform/postgres/index.ts'

export interface NodeRow {
  /** Of one start of one process. */
  instance: string
  /** NODE_ID. */
  nodeId: string
  roles: string[]
  /** `host:port` by what is open there: visitor, resident, api. */
  addresses: Record<string, string>
  /** By its own clock, as that of its calls. */
  startedAt: Date
  seenAt: Date
  /** As the process told it with its last sign of life; null before it is all open. */
  status: Record<string, unknown> | null
}

/** s after its last sign of life for which a process counts as alive: three are missed. */
export const LEASE_SECONDS = 16

/** Renews a process's lease, or enters it. */
export async function writeNode(
  database: Querier,
  { instance, nodeId, roles, addresses, startedAt, status }: Omit<NodeRow, 'seenAt'>,
): Promise<void> {
  await database.query(
    `insert into nodes (instance, node_id, roles, addresses, started_at, status) values ($1, $2, $3, $4, $5, $6)
     on conflict (instance) do update set seen_at = now(), roles = excluded.roles,
       addresses = excluded.addresses, status = excluded.status`,
    [instance, nodeId, roles, JSON.stringify(addresses), startedAt, status && JSON.stringify(status)],
  )
}

/** Those whose lease is not older than `seconds`, the longest running first. */
export function liveNodes(database: Querier, seconds: number): Promise<NodeRow[]> {
  return database.query<NodeRow>(
    `select instance, node_id as "nodeId", roles, addresses, started_at as "startedAt", seen_at as "seenAt", status
     from nodes where seen_at > now() - $1 * interval '1 second' order by started_at, instance`,
    [seconds],
  )
}

/** Those that were not heard of for so many seconds and did not say that they end, the latest first; one that its successor of the same name has replaced is left out. */
export function silentNodes(
  database: Querier,
  { seconds, within }: { seconds: number; within: number },
): Promise<NodeRow[]> {
  return database.query<NodeRow>(
    `select instance, node_id as "nodeId", roles, addresses, started_at as "startedAt", seen_at as "seenAt", status
     from nodes n where seen_at <= now() - $1 * interval '1 second' and seen_at > now() - $2 * interval '1 second'
       and not exists (select from nodes o where o.node_id = n.node_id and o.seen_at > n.seen_at and o.started_at > n.started_at
         and o.roles && n.roles)
     order by seen_at desc`,
    [seconds, within],
  )
}

/** Ends a process's lease, and with it what is left of those before it that ended without a word. */
export async function removeNode(database: Querier, instance: string): Promise<void> {
  await database.query(
    `delete from nodes n using nodes o where o.instance = $1 and (n.instance = $1
       or n.node_id = o.node_id and n.started_at < o.started_at and n.seen_at < now() - interval '${LEASE_SECONDS} seconds')`,
    [instance],
  )
}

/** Deletes the leases of processes that ended without a word so many seconds ago. */
export async function removeExpiredNodes(database: Querier, seconds: number): Promise<void> {
  await database.query(`delete from nodes where seen_at < now() - $1 * interval '1 second'`, [seconds])
}

/** The name of the connection by which other processes see that this one is alive. */
export function connectionName(instance: string): string {
  return `porteiro ${instance}`
}
