import { randomBytes } from 'node:crypto'
import type { Querier } from '../../platform/postgres/index.ts'
import { hashKey, type KeyRow, SHOWN_KEY } from './keys.ts'

/** What a session's cookie begins with; no key does. */
const PREFIX = 'pts_'

/** The owner of a session: a key by its id, or the key of the configuration by its hash. */
type Owner = { keyId: string } | { adminHash: Buffer }

interface SessionRow {
  id: string
  /** Null: of the key of the configuration. */
  key: Pick<KeyRow, 'id' | 'tenantId' | 'name' | 'scopes'> | null
  adminHash: Buffer | null
}

export function isSession(plain: string): boolean {
  return plain.startsWith(PREFIX)
}

/** Creates a session for `seconds` and forgets those that are over. The cookie exists only in the result. */
export async function createSession(database: Querier, owner: Owner, seconds: number): Promise<string> {
  const plain = `${PREFIX}${randomBytes(32).toString('base64url')}`
  await database.query(
    `with over as (delete from sessions where expires_at < now())
     insert into sessions (hash, key_id, admin_hash, expires_at) values ($1, $2, $3, now() + $4 * interval '1 second')`,
    [
      hashKey(plain),
      'keyId' in owner ? owner.keyId : null,
      'adminHash' in owner ? owner.adminHash : null,
      seconds,
    ],
  )
  return plain
}

/** Undefined for a session that is unknown, over or ended, or whose key is revoked. */
export async function findSession(database: Querier, plain: string): Promise<SessionRow | undefined> {
  const [row] = await database.query<SessionRow>(
    `select s.id, s.admin_hash as "adminHash", (select to_jsonb(k) from (select ${SHOWN_KEY}) k) as key
     from sessions s left join api_keys on api_keys.id = s.key_id
     where s.hash = $1 and s.expires_at > now() and (s.key_id is null or api_keys.revoked_at is null)`,
    [hashKey(plain)],
  )
  return row && { ...row, key: row.adminHash === null ? row.key : null }
}

/** Resolves with its id; undefined if there was none. */
export async function endSession(database: Querier, plain: string): Promise<string | undefined> {
  const [row] = await database.query<{ id: string }>('delete from sessions where hash = $1 returning id', [
    hashKey(plain),
  ])
  return row?.id
}

/** Those of `ids`, of keys and sessions, that still have access. */
export async function validAccess(database: Querier, ids: readonly string[]): Promise<string[]> {
  const rows = await database.query<{ id: string }>(
    `select id from api_keys where id = any($1::uuid[]) and revoked_at is null
     union all select id from sessions where id = any($1::uuid[]) and expires_at > now()`,
    [ids],
  )
  return rows.map((row) => row.id)
}
