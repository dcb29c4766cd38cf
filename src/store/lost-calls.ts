import type { Database } from './database.ts'
import { noteLate } from './late-events.ts'

/**
 * Ends the rows of calls that began longer ago than any call may last: their process was killed. Resolves with their number.
 * Should one live all the same, its own last row replaces this one.
 */
export async function endLostCalls(database: Database, longestMs: number): Promise<number> {
  const rows = await database.query<{ id: string }>(
    `update calls set state = 'ended', ended_at = now(), outcome = 'abandoned', reason = 'fault'
     where ended_at is null and started_at < now() - $1 * interval '1 millisecond' returning id`,
    [longestMs],
  )
  for (const { id } of rows)
    await noteLate(database, { callId: id, kind: 'lost', data: { outcome: 'abandoned', reason: 'fault' } })
  return rows.length
}
