import type { Database } from '../platform/postgres/index.ts'
import type { Announce, StatusChange } from './announcements.ts'
import { findMessages } from './sql/messages.ts'
import { takeReceipts, waitingReceipts } from './sql/receipts.ts'

/**
 * Applies every waiting receipt to its message and announces what is new. Resolves with the number that still wait for their message.
 * A receipt older than `youngMs` belongs to a message that another program sent by the same number, and does not wait any more.
 */
export async function applyReceipts(
  database: Database,
  announce: Announce,
  youngMs: number,
): Promise<number> {
  await database.transaction(async (transaction) => {
    const moments = await takeReceipts(transaction)
    if (moments.length === 0) return
    const messages = await findMessages(
      transaction,
      moments.map(({ id }) => id),
    )
    const changes = moments.flatMap(({ id, delivered, read }): StatusChange[] => {
      const message = messages.find((one) => one.id === id)!
      return [
        ...(delivered ? [{ message, status: 'delivered' as const, at: delivered }] : []),
        ...(read ? [{ message, status: 'read' as const, at: read }] : []),
      ]
    })
    await announce(transaction, changes)
  })
  return waitingReceipts(database, youngMs)
}
