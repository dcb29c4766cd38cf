import { isOrphan } from '../../directory/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Querier } from '../../platform/postgres/index.ts'

export interface PauseScope {
  /** Null: messages of all tenants. */
  tenantId: string | null
  /** Requested by the tenant itself, not with access to all tenants. */
  byTenant: boolean
}

export interface PauseRow extends PauseScope {
  /** Name of the key, or of the command line. */
  by: string
  since: Date
}

/** An existing pause stays unchanged. Throws TENANT_UNKNOWN. */
export async function addPause(
  database: Querier,
  { tenantId, byTenant, by }: PauseScope & { by: string },
): Promise<void> {
  try {
    await database.query(
      'insert into pauses (tenant_id, by_tenant, paused_by) values ($1, $2, $3) on conflict do nothing',
      [tenantId, byTenant, by],
    )
  } catch (error) {
    // a pause of a misspelt tenant would have no effect
    if (isOrphan(error)) throw fail('TENANT_UNKNOWN', { tenant: tenantId }, error)
    throw error
  }
}

/** A tenant lifts only its own pause; access to all tenants lifts both kinds. A missing pause is no error. */
export async function deletePause(database: Querier, { tenantId, byTenant }: PauseScope): Promise<void> {
  await database.query(
    'delete from pauses where tenant_id is not distinct from $1 and (by_tenant or not $2)',
    [tenantId, byTenant],
  )
}

/** All pauses, or those that affect this tenant; that of all tenants first. */
export function listPauses(database: Querier, tenantId?: string): Promise<PauseRow[]> {
  return database.query<PauseRow>(
    `select tenant_id as "tenantId", by_tenant as "byTenant", paused_by as by, since from pauses
     where $1::text is null or tenant_id is null or tenant_id = $1
     order by tenant_id nulls first, by_tenant`,
    [tenantId ?? null],
  )
}
