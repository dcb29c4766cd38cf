import type { Querier } from '../../platform/postgres/index.ts'

/**
 * Tells every process that a tenant was changed, once the transaction commits: nodes that take calls keep its name, language and
 * barge-in. The channel is that of the cluster's topics, which a room of this floor cannot import; the topic is `tenants`.
 */
export async function tellTenantChange(database: Querier, tenantId: string): Promise<void> {
  await database.query(`select pg_notify(left(current_schema(), 54) || '_signals', 'tenants ' || $1)`, [
    tenantId,
  ])
}
