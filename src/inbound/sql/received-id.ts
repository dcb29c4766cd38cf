import type { Querier } from '../../platform/postgres/index.ts'

/** The provider's id of a person's message to the tenant, by ours; undefined if there is none. */
export async function findReceivedId(
  database: Querier,
  id: string,
  tenantId: string,
): Promise<string | undefined> {
  const [row] = await database.query<{ providerId: string }>(
    'select provider_id as "providerId" from inbound_messages where id = $1 and tenant_id = $2',
    [id, tenantId],
  )
  return row?.providerId
}
