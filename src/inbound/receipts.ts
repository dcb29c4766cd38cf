import { type Announce, applyReceipts, listUndelivered, markReceiptHandled } from '../outbound/index.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { JobHandler } from '../queue/index.ts'
import { type EnqueueJobs, INBOUND_RECEIPTS } from './intake.ts'

/**
 * Marks the message with this provider's id as undeliverable. False: it is not ours, or is marked already.
 */
export type Bounce = (
  providerId: string,
  facts: { code: string; reason: string; tenantId: string },
) => Promise<boolean>

interface ReceiptsOptions {
  database: Database
  enqueueJobs: EnqueueJobs
  bounce: Bounce
  announce: Announce
  log: Logger
}

/** ms for which a receipt waits for its message: it may arrive before we have stored the message's provider id. */
const RECEIPT_WAIT_MS = 60_000
/**
 * ms until the waiting receipts are applied again, doubled each time, and how often; together longer than RECEIPT_WAIT_MS. Every
 * post starts its own series, so a series must end although some receipt may always wait, as those of messages that another
 * program sent by the same number.
 */
const AGAIN_MS = 2000
const MAX_REPEATS = 5

const UNEXPLAINED = { code: 'unknown', message: 'the provider gave no reason' }

/**
 * The handler of `inbound_receipts`: applies all receipts that wait. Those whose message is not known yet are applied again
 * later; the job's `looks` says how often so far.
 */
export function createReceipts({
  database,
  enqueueJobs,
  bounce,
  announce,
  log,
}: ReceiptsOptions): JobHandler {
  return async (data) => {
    const { looks } = data as { looks?: unknown }
    const repeats = typeof looks === 'number' ? looks : 0
    const waiting = await applyReceipts(database, announce, RECEIPT_WAIT_MS)
    for (const receipt of await listUndelivered(database)) {
      const { providerId, tenantId, messageId, error } = receipt
      const { code, message } = error ?? UNEXPLAINED
      await bounce(providerId, { code: 'MESSAGE_BOUNCED', reason: `${code} ${message}`.trim(), tenantId })
      await markReceiptHandled(database, receipt)
      log.warn({ message_id: messageId, reason: code }, 'a message could not be delivered')
    }
    if (waiting === 0 || repeats >= MAX_REPEATS) return
    const again = { data: { looks: repeats + 1 }, startAfterMs: AGAIN_MS * 2 ** repeats }
    await database.transaction((transaction) =>
      enqueueJobs(transaction, [{ type: INBOUND_RECEIPTS, ...again }]),
    )
  }
}
