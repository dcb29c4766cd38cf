import type { Database, Transaction } from '../../platform/postgres/index.ts'

/**
 * Runs `derive` with the id behind which the messages of call events may be missing, and moves the cursor to the id that it resolves
 * with; undefined leaves it. One process at a time: false if another one has the cursor.
 */
export function moveCallEventCursor(
  database: Database,
  derive: (after: number, transaction: Transaction) => Promise<number | undefined>,
): Promise<boolean> {
  return database.transaction(async (transaction) => {
    const [cursor] = await transaction.query<{ after: string }>(
      'select after_id as after from call_event_cursor for update skip locked',
    )
    if (!cursor) return false
    const after = await derive(Number(cursor.after), transaction)
    if (after !== undefined) await transaction.query('update call_event_cursor set after_id = $1', [after])
    return true
  })
}
