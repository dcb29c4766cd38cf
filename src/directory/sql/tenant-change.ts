import { type Querier, signal } from '../../platform/postgres/index.ts'

/**
 * Tells every process that a tenant was changed, once the transaction commits: nodes that take calls keep its name, language and
 * barge-in. The topic is `tenants`.
 */
export function tellTenantChange(database: Querier, tenantId: string): Promise<void> {
  return signal(database, 'tenants', tenantId)
}
