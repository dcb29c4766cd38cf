import type { Querier } from '../../platform/postgres/index.ts'

export interface NodeRow {
  /** Unique to each run of a process. */
  instance: string
  /** NODE_ID. */
  nodeId: string
  roles: string[]
  /** `host:port` by what is open there: visitor, resident, api. */
  addresses: Record<string, string>
  /** By the process's own clock, as the times of its calls. */
  startedAt: Date
  seenAt: Date
  /** From the last heartbeat; null until the process has started fully. */
  status: Record<string, unknown> | null
}

/** s after its last heartbeat for which a process counts as alive: three were missed. */
export const LEASE_SECONDS = 16

/** Inserts a process, or renews its lease. */
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

/** Processes whose last heartbeat is less than `seconds` ago, the longest running first. */
export function liveNodes(database: Querier, seconds: number): Promise<NodeRow[]> {
  return database.query<NodeRow>(
    `select instance, node_id as "nodeId", roles, addresses, started_at as "startedAt", seen_at as "seenAt", status
     from nodes where seen_at > now() - $1 * interval '1 second' order by started_at, instance`,
    [seconds],
  )
}

/**
 * Processes without a heartbeat for so many seconds that did not sign off, the latest first; without those that a
 * successor of the same name has replaced.
 */
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

export interface Twin {
  instance: string
  roles: string[]
  seenAt: Date
}

/**
 * Another process of the same name with one of the same roles, that started before and is alive: its lease holds, and its
 * connection is there. A killed process leaves pg_stat_activity when its last statement ends, so its successor need not wait for
 * the lease. `seenAt` moves with each heartbeat.
 */
export async function findTwin(database: Querier, instance: string): Promise<Twin | undefined> {
  const [twin] = await database.query<Twin>(
    `select o.instance, o.roles, o.seen_at as "seenAt" from nodes n join nodes o on o.node_id = n.node_id and o.instance <> n.instance
     where n.instance = $1 and o.roles && n.roles and o.seen_at > now() - interval '${LEASE_SECONDS} seconds'
       and coalesce(o.status->>'status', '') <> 'draining'
       and (o.status is not null or (o.started_at, o.instance) < (n.started_at, n.instance))
       and exists (select from pg_stat_activity where application_name = 'porteiro ' || o.instance
         and datname = current_database())
     order by o.instance limit 1`,
    [instance],
  )
  return twin
}

/** Deletes a process's lease, and those of its predecessors that ended without signing off. */
export async function removeNode(database: Querier, instance: string): Promise<void> {
  await database.query(
    `delete from nodes n using nodes o where o.instance = $1 and (n.instance = $1
       or n.node_id = o.node_id and n.started_at < o.started_at and n.seen_at < now() - interval '${LEASE_SECONDS} seconds')`,
    [instance],
  )
}

/** Deletes the leases of processes that ended without signing off so many seconds ago, and requests of that age. */
export async function removeTraces(database: Querier, seconds: number): Promise<void> {
  await database.query(`delete from nodes where seen_at < now() - $1 * interval '1 second'`, [seconds])
  await database.query(`delete from node_requests where asked_at < now() - $1 * interval '1 second'`, [
    seconds,
  ])
}

/** The name of the connection by which other processes see that this one is alive. */
export function connectionName(instance: string): string {
  return `porteiro ${instance}`
}
