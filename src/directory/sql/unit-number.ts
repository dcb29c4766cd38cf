import type { Querier } from '../../platform/postgres/index.ts'

/** The number of the unit `u` as it is keyed; migration 0017 says what may stand behind it. */
export const KEYED_NUMBER = "split_part(u.number, '~', 1)"

/** Locks the tenant's numbers until the end of the transaction: two units that are made at once count each other. */
export async function lockNumbers(transaction: Querier, tenantId: string): Promise<void> {
  await transaction.query('select from tenants where id = $1 for update', [tenantId])
}

/** Writes numbers as migration 0017 wants them: bare where one unit has the number, else counted. */
export async function settleNumbers(transaction: Querier, tenantId: string): Promise<void> {
  const others = `exists (select from units o where o.tenant_id = u.tenant_id and o.id <> u.id
    and split_part(o.number, '~', 1) = ${KEYED_NUMBER})`
  await transaction.query(
    `update units u set number = u.number || '~' || u.id
     where u.tenant_id = $1 and position('~' in u.number) = 0 and ${others}`,
    [tenantId],
  )
  await transaction.query(
    `update units u set number = ${KEYED_NUMBER}
     where u.tenant_id = $1 and position('~' in u.number) > 0 and not ${others}`,
    [tenantId],
  )
}
