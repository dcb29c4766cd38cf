import { applyReceipts, listUndelivered, settleReceipt } from '../outbound/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { type EnqueueJobs, INBOUND_RECEIPTS } from './jobs.ts'

/**
 * Tells the queue that the message which the provider knows by this id could not be delivered after all. False: it is none of
 * ours, or that is known already.
 */
export type Bounce = (
  providerId: string,
  facts: { code: string; reason: string; tenantId: string },
) => Promise<boolean>

interface ReceiptsOptions {
  database: Database
  enqueueJobs: EnqueueJobs
  bounce: Bounce
  log: Logger
}

/** ms for which a receipt waits for its message: the provider may be quicker than our note of the message's id there. */
const YOUNG_MS = 60_000
/**
 * ms until it is looked for again, doubled with each look, and how often: all of them together outlast YOUNG_MS. Each post
 * has looks of its own, so they must end though there is always one that waits, as where others send by the same number.
 */
const AGAIN_MS = 2000
const LOOKS = 5

const UNEXPLAINED = { code: 'unknown', message: 'the provider gave no reason' }

/** Puts receipts onto the messages that they are about. */
export function createReceipts({ database, enqueueJobs, bounce, log }: ReceiptsOptions) {
  return {
    /** All that wait; those whose message is not known yet are looked for again a little later. `looks`: how often they were. */
    async apply(looks = 0): Promise<void> {
      const waiting = await applyReceipts(database, YOUNG_MS)
      for (const receipt of await listUndelivered(database)) {
        const { providerId, tenantId, messageId, error } = receipt
        const { code, message } = error ?? UNEXPLAINED
        await bounce(providerId, { code: 'MESSAGE_BOUNCED', reason: `${code} ${message}`.trim(), tenantId })
        await settleReceipt(database, receipt)
        log.warn({ message_id: messageId, reason: code }, 'a message could not be delivered')
      }
      if (waiting === 0 || looks >= LOOKS) return
      const again = { data: { looks: looks + 1 }, startAfterMs: AGAIN_MS * 2 ** looks }
      await database.transaction((transaction) =>
        enqueueJobs(transaction, [{ type: INBOUND_RECEIPTS, ...again }]),
      )
    },
  }
}
