import { asJsonb, type Querier } from '../../platform/postgres/index.ts'
import type { Account } from './inbound.ts'

/** One thing that was written: by the person, or by us. */
export interface Turn {
  role: 'user' | 'assistant'
  text: string
  /** ISO 8601. */
  at: string
  /** The message that it is, or answers. */
  of: string
}

/** What is remembered of a conversation: enough to follow it, and what a model is asked with stays small. */
export const CONVERSATION_BOUNDS = {
  turns: 20,
  /** Of all turns, as JSON. */
  bytes: 16 * 1024,
  /** Characters of one turn; the rest of a longer one is left out. */
  text: 2000,
  /** ms of silence after which a conversation begins anew. */
  restMs: 24 * 60 * 60 * 1000,
}

/** What was said with somebody lately, the oldest first. */
export async function readConversation(
  database: Querier,
  { tenantId, instanceId }: Account,
  phone: string,
): Promise<Turn[]> {
  const [row] = await database.query<{ turns: Turn[] }>(
    `select turns from conversations where tenant_id = $1 and instance_id = $2 and phone = $3
       and updated_at > now() - $4 * interval '1 millisecond'`,
    [tenantId, instanceId, phone, CONVERSATION_BOUNDS.restMs],
  )
  return row?.turns ?? []
}

/** Adds to what is remembered, and keeps of it what fits. Give it a transaction: a second one for the same person waits. */
export async function appendTurns(
  transaction: Querier,
  { tenantId, instanceId }: Account,
  phone: string,
  turns: readonly Turn[],
): Promise<void> {
  const key = [tenantId, instanceId, phone]
  await transaction.query(
    'insert into conversations (tenant_id, instance_id, phone) values ($1, $2, $3) on conflict do nothing',
    key,
  )
  const [row] = await transaction.query<{ turns: Turn[] }>(
    `select case when updated_at > now() - $4 * interval '1 millisecond' then turns else '[]' end as turns
     from conversations where tenant_id = $1 and instance_id = $2 and phone = $3 for update`,
    [...key, CONVERSATION_BOUNDS.restMs],
  )
  await transaction.query(
    `update conversations set turns = $4::jsonb, updated_at = now()
     where tenant_id = $1 and instance_id = $2 and phone = $3`,
    [...key, asJsonb(boundTurns([...row!.turns, ...turns]))],
  )
}

/** The latest turns, as many as fit into both bounds. */
export function boundTurns(turns: readonly Turn[]): Turn[] {
  const kept: Turn[] = []
  let bytes = 0
  for (const turn of turns.slice(-CONVERSATION_BOUNDS.turns).toReversed()) {
    const text = turn.text.slice(0, CONVERSATION_BOUNDS.text)
    const size = Buffer.byteLength(JSON.stringify({ ...turn, text }))
    if (bytes + size > CONVERSATION_BOUNDS.bytes) break
    bytes += size
    kept.unshift({ ...turn, text })
  }
  return kept
}

/** Forgets conversations that rest longer than `days`, at most `limit`; resolves with how many it were. */
export async function deleteOldConversations(database: Querier, days: number, limit = 1000): Promise<number> {
  const rows = await database.query(
    `delete from conversations where (tenant_id, instance_id, phone) in (
       select tenant_id, instance_id, phone from conversations
       where updated_at < now() - $1 * interval '1 day' limit $2
     ) returning phone`,
    [days, limit],
  )
  return rows.length
}
