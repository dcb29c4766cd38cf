import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Querier } from '../../platform/postgres/index.ts'

/** read: look; operate: hang up, decide, send; admin: directory, keys, endpoints. */
export type Scope = 'read' | 'operate' | 'admin'

export interface KeyRow {
  id: string
  /** Null: every tenant. */
  tenantId: string | null
  name: string
  scopes: Scope[]
  createdAt: Date
  lastUsedAt: Date | null
  revokedAt: Date | null
}

/** The columns of KeyRow, of the table api_keys. */
export const SHOWN_KEY = `api_keys.id, api_keys.tenant_id as "tenantId", api_keys.name, api_keys.scopes,
  api_keys.created_at as "createdAt", api_keys.last_used_at as "lastUsedAt", api_keys.revoked_at as "revokedAt"`

/** 32 bytes of SHA-256: enough for keys that are themselves 32 random bytes. */
export function hashKey(plain: string): Buffer {
  return createHash('sha256').update(plain).digest()
}

/** `plain` (`ptr_` and 43 characters of base64url) exists only here: it cannot be read again. */
export async function createKey(
  database: Querier,
  { tenantId, name, scopes }: { tenantId: string | null; name: string; scopes: readonly Scope[] },
): Promise<{ id: string; plain: string }> {
  const plain = `ptr_${randomBytes(32).toString('base64url')}`
  return { id: await saveKey(database, { tenantId, name, scopes, plain }), plain }
}

/** Creates a key for everything if there is none yet; it is shown once and stored as a hash. */
export async function createFirstKey(database: Querier): Promise<string | undefined> {
  if ((await countKeys(database)) > 0) return undefined
  const { plain } = await createKey(database, { tenantId: null, name: 'first', scopes: ['admin'] })
  return plain
}

/** Stores a key that somebody else chose (API_KEY); resolves with its id, the same one when it is already known. */
async function saveKey(
  database: Querier,
  key: { tenantId: string | null; name: string; scopes: readonly Scope[]; plain: string },
): Promise<string> {
  const [row] = await database.query<{ id: string }>(
    `insert into api_keys (id, tenant_id, name, hash, scopes) values ($1, $2, $3, $4, $5)
     on conflict (hash) do update set hash = excluded.hash returning id`,
    [randomUUID(), key.tenantId, key.name, hashKey(key.plain), key.scopes],
  )
  return row!.id
}

/** Undefined for a key that is unknown or revoked. */
export async function findKey(database: Querier, plain: string): Promise<KeyRow | undefined> {
  const [row] = await database.query<KeyRow>(
    `select ${SHOWN_KEY} from api_keys where hash = $1 and revoked_at is null`,
    [hashKey(plain)],
  )
  return row
}

/** Keys that still open something. */
export async function countKeys(database: Querier): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    'select count(*)::int as count from api_keys where revoked_at is null',
  )
  return row!.count
}

/** Of one tenant, or of all; revoked ones too, oldest first. */
export function listKeys(database: Querier, tenantId?: string): Promise<KeyRow[]> {
  return database.query<KeyRow>(
    `select ${SHOWN_KEY} from api_keys where $1::text is null or tenant_id = $1 order by created_at, id`,
    [tenantId ?? null],
  )
}

/** By its id, revoked or not. */
export async function readKey(database: Querier, id: string): Promise<KeyRow | undefined> {
  const [row] = await database.query<KeyRow>(`select ${SHOWN_KEY} from api_keys where id = $1`, [id])
  return row
}

/** False when there is no such key (of the tenant, where one is given), or it was revoked before. */
export async function revokeKey(database: Querier, id: string, tenantId?: string): Promise<boolean> {
  const rows = await database.query(
    `update api_keys set revoked_at = now()
     where id = $1 and revoked_at is null and ($2::text is null or tenant_id = $2) returning id`,
    [id, tenantId ?? null],
  )
  return rows.length > 0
}

/** Notes a use, at most once a minute: a busy client must not cost a write a request. */
export async function touchKey(database: Querier, id: string): Promise<void> {
  await database.query(
    `update api_keys set last_used_at = now()
     where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
    [id],
  )
}
