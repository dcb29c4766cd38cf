import type { Querier } from './database.ts'

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
}

/** Renews a process's lease, or enters it. */
export async function writeNode(
  database: Querier,
  { instance, nodeId, roles, addresses, startedAt }: Omit<NodeRow, 'seenAt'>,
): Promise<void> {
  await database.query(
    `insert into nodes (instance, node_id, roles, addresses, started_at) values ($1, $2, $3, $4, $5)
     on conflict (instance) do update set seen_at = now(), roles = excluded.roles, addresses = excluded.addresses`,
    [instance, nodeId, roles, JSON.stringify(addresses), startedAt],
  )
}

/** Those whose lease is not older than `seconds`, the longest running first. */
export function liveNodes(database: Querier, seconds: number): Promise<NodeRow[]> {
  return database.query<NodeRow>(
    `select instance, node_id as "nodeId", roles, addresses, started_at as "startedAt", seen_at as "seenAt"
     from nodes where seen_at > now() - $1 * interval '1 second' order by started_at, instance`,
    [seconds],
  )
}

export async function removeNode(database: Querier, instance: string): Promise<void> {
  await database.query('delete from nodes where instance = $1', [instance])
}

/** Deletes the leases of processes that ended without a word so many seconds ago. */
export async function removeLostNodes(database: Querier, seconds: number): Promise<void> {
  await database.query(`delete from nodes where seen_at < now() - $1 * interval '1 second'`, [seconds])
}
