import { type Database, type Querier, secretsOf } from '../../platform/postgres/index.ts'
import { newSecret } from './endpoints.ts'

/** A secret that signs a tenant's free webhooks. */
interface TenantWebhookSecret {
  secret: string
  createdAt: Date
  /** Null: the present one. */
  expiresAt: Date | null
}

const placeOf = (tenantId: string) => ['tenant_webhook_secrets', tenantId, 'secret']

async function list(database: Querier, tenantId: string): Promise<TenantWebhookSecret[]> {
  const rows = await database.query<TenantWebhookSecret>(
    `select secret, created_at as "createdAt", expires_at as "expiresAt" from tenant_webhook_secrets
     where tenant_id = $1 and (expires_at is null or expires_at > now()) order by id desc`,
    [tenantId],
  )
  const secrets = secretsOf(database)
  return rows.map((row) => ({ ...row, secret: secrets.open(placeOf(tenantId), row.secret) }))
}

async function add(database: Querier, tenantId: string): Promise<void> {
  const sealed = secretsOf(database).seal(placeOf(tenantId), newSecret())
  await database.query(
    'insert into tenant_webhook_secrets (tenant_id, secret) values ($1, $2) on conflict do nothing',
    [tenantId, sealed],
  )
}

/** The secrets that sign now, the present one first; the first is made here. The tenant exists. Errors: SECRET_UNREADABLE. */
export async function tenantSecrets(database: Querier, tenantId: string): Promise<TenantWebhookSecret[]> {
  const found = await list(database, tenantId)
  if (found.some(({ expiresAt }) => expiresAt === null)) return found
  await add(database, tenantId)
  return list(database, tenantId)
}

/** A new secret; the one before also signs for `overlapMs`. */
export function rotateTenantSecret(
  database: Database,
  tenantId: string,
  overlapMs: number,
): Promise<TenantWebhookSecret[]> {
  return database.transaction(async (transaction) => {
    // of two rotations at once the second replaces the secret of the first
    await transaction.query(
      'select id from tenant_webhook_secrets where tenant_id = $1 and expires_at is null for update',
      [tenantId],
    )
    await transaction.query(
      'delete from tenant_webhook_secrets where tenant_id = $1 and expires_at <= now()',
      [tenantId],
    )
    await transaction.query(
      `update tenant_webhook_secrets set expires_at = now() + $2 * interval '1 millisecond'
       where tenant_id = $1 and expires_at is null`,
      [tenantId, overlapMs],
    )
    await add(transaction, tenantId)
    return list(transaction, tenantId)
  })
}
