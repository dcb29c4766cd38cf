import type { Querier } from '../../platform/postgres/index.ts'

/**
 * Differs after a committed change of a tenant's units and residents, by whichever process, at the price of one scan of
 * their rows and of no trigger, lock or listener. Rows that were added or removed change the count; a row that was
 * written again carries the id of another transaction in xmin, which changes the sum.
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
