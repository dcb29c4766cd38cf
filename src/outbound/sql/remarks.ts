import type { Querier } from '../../platform/postgres/index.ts'

/** Number of messages that wait for a retry. */
export async function countRetrying(database: Querier, tenantId?: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `select count(*)::int as count from messages where status = 'retrying' and ($1::text is null or tenant_id = $1)`,
    [tenantId ?? null],
  )
  return row!.count
}

interface PausedEndpoint {
  id: string
  tenantId: string
  url: string
  until: Date
}

/** Endpoints paused after failures, in the order of the end of their pauses. */
export function pausedEndpoints(
  database: Querier,
  { tenantId, limit }: { tenantId?: string | undefined; limit: number },
): Promise<PausedEndpoint[]> {
  return database.query<PausedEndpoint>(
    `select e.id, e.tenant_id as "tenantId", e.url, b.open_until as until
     from endpoints e join breakers b on b.name = e.id::text
     where b.open_until > now() and e.enabled and ($1::text is null or e.tenant_id = $1)
     order by b.open_until, e.id limit $2`,
    [tenantId ?? null, limit],
  )
}
