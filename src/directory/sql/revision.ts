import type { Querier } from '../../platform/postgres/index.ts'

/**
 * Changes with every committed change of a tenant's units and residents by any process, at the cost of one scan of
 * their rows, without trigger, lock or listener. Added and removed rows change the count; an updated row
 * has another transaction id in xmin, which changes the sum.
 */
export async function directoryRevision(database: Querier, tenantId: string): Promise<string> {
  const [row] = await database.query<{ revision: string }>(
    `select concat_ws('.', u.count, u.sum, r.count, r.sum) as revision
     from (select count(*), sum(xmin::text::bigint) from units where tenant_id = $1) u,
          (select count(*), sum(xmin::text::bigint) from residents where tenant_id = $1) r`,
    [tenantId],
  )
  return row!.revision
}
