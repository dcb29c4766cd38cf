import { asJsonb, type Querier } from '../../platform/postgres/index.ts'
import type { AccountRef } from '../intake.ts'

/** One message of a conversation: the person's or ours. */
export interface Turn {
  role: 'user' | 'assistant'
  text: string
  /** ISO 8601. */
  at: string
  /** Id of this message, or of the one it answers. */
  of: string
}

/** Limits of a stored conversation: enough to follow it, small enough for a model's prompt. */
export const CONVERSATION_BOUNDS = {
  turns: 20,
  /** Of all turns, as JSON. */
  bytes: 16 * 1024,
  /** Characters of one turn; the rest of a longer one is left out. */
  text: 2000,
  /** ms of silence after which a new conversation starts. */
  restMs: 24 * 60 * 60 * 1000,
}

/** The stored conversation with a person, the oldest turn first. */
export async function readConversation(
  database: Querier,
  { tenantId, instanceId }: AccountRef,
  phone: string,
): Promise<Turn[]> {
  const [row] = await database.query<{ turns: Turn[] }>(
    `select turns from conversations where tenant_id = $1 and instance_id = $2 and phone = $3
       and updated_at > now() - $4 * interval '1 millisecond'`,
    [tenantId, instanceId, phone, CONVERSATION_BOUNDS.restMs],
  )
  return row?.turns ?? []
}

/** Appends turns and drops the oldest beyond the limits. Needs a transaction: a second one for the same person waits. */
export async function appendTurns(
  transaction: Querier,
  { tenantId, instanceId }: AccountRef,
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

/** Deletes conversations without a message for `days`, at most `limit`; resolves with their number. */
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
