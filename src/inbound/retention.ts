import { deleteOldApprovals } from '../store/approvals.ts'
import { deleteOldConversations } from '../store/conversations.ts'
import type { Querier } from '../store/database.ts'
import { deleteOldInbound } from '../store/inbound.ts'
import { deleteOldReceipts } from '../store/receipts.ts'

/** Deletes what came in, what residents were asked, and conversations that rest, after so many days; resolves with the rows. */
export async function sweepInbound(database: Querier, days: number): Promise<number> {
  let deleted = 0
  for (const sweep of [deleteOldInbound, deleteOldReceipts, deleteOldApprovals, deleteOldConversations]) {
    for (;;) {
      const count = await sweep(database, days)
      deleted += count
      if (count === 0) break
    }
  }
  return deleted
}
