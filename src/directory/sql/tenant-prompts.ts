import { createHash } from 'node:crypto'
import type { Database, Querier } from '../../platform/postgres/index.ts'
import { tellTenantChange } from './tenant-change.ts'

/** A WAV of a tenant in place of a prompt. */
interface TenantPrompt {
  tenantId: string
  prompt: string
  /** Changes with the sound. */
  digest: string
}

/** Of a tenant, or of all. */
export function listTenantPrompts(
  database: Querier,
  tenantId?: string,
): Promise<(TenantPrompt & { bytes: number; updatedAt: Date })[]> {
  return database.query(
    `select tenant_id as "tenantId", prompt, digest, octet_length(sound) as bytes, updated_at as "updatedAt"
     from tenant_prompts where $1::text is null or tenant_id = $1 order by tenant_id, prompt`,
    [tenantId ?? null],
  )
}

/** The WAV; undefined if there is none. */
export async function readTenantPrompt(
  database: Querier,
  { tenantId, prompt }: Pick<TenantPrompt, 'tenantId' | 'prompt'>,
): Promise<Buffer | undefined> {
  const [row] = await database.query<{ sound: Buffer }>(
    'select sound from tenant_prompts where tenant_id = $1 and prompt = $2',
    [tenantId, prompt],
  )
  return row?.sound
}

/** Stores the WAV and tells every node. */
export function saveTenantPrompt(
  database: Database,
  tenantId: string,
  prompt: string,
  sound: Buffer,
): Promise<void> {
  const digest = createHash('sha256').update(sound).digest('hex').slice(0, 16)
  return database.transaction(async (transaction) => {
    await transaction.query(
      `insert into tenant_prompts (tenant_id, prompt, sound, digest) values ($1, $2, $3, $4)
       on conflict (tenant_id, prompt) do update set sound = excluded.sound, digest = excluded.digest, updated_at = now()`,
      [tenantId, prompt, sound, digest],
    )
    await tellTenantChange(transaction, tenantId)
  })
}

/** False if there was none. */
export function deleteTenantPrompt(database: Database, tenantId: string, prompt: string): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const gone = await transaction.query(
      'delete from tenant_prompts where tenant_id = $1 and prompt = $2 returning prompt',
      [tenantId, prompt],
    )
    if (gone.length > 0) await tellTenantChange(transaction, tenantId)
    return gone.length > 0
  })
}
