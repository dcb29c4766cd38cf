import { deleteOldReceipts } from '../outbound/index.ts'
import type { Querier } from '../platform/postgres/index.ts'
import { deleteOldInbound } from './intake.ts'
import { deleteOldApprovals } from './sql/approvals.ts'
import { deleteOldConversations } from './sql/conversations.ts'

/** Deletes messages, receipts, approvals and conversations older than `days`; resolves with the number of rows. */
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
