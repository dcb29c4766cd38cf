import { randomUUID } from 'node:crypto'
import { insertReceipts, type ReceiptRow } from '../outbound/index.ts'
import { createBatcher } from '../platform/batch.ts'
import { fail } from '../platform/errors.ts'
import { type Database, isDatabaseAway } from '../platform/postgres/index.ts'
import { type EnqueueJobs, INBOUND_MESSAGE, INBOUND_RECEIPTS, type Job } from './jobs.ts'
import type { Posted } from './posted.ts'
import { type Account, type InboundChannel, insertInbound, type NewInbound } from './sql/inbound.ts'

interface IntakeOptions {
  database: Database
  enqueueJobs: EnqueueJobs
}

export interface Intake {
  /**
   * Resolves when the new parts of a post are stored together with their jobs, in one transaction. `messages` is the number of
   * new messages. Errors: INBOUND_BUSY, DATABASE_UNREACHABLE, DATABASE_QUERY, SHUTTING_DOWN.
   */
  accept(account: Account & { channel: InboundChannel }, posted: Posted): Promise<{ messages: number }>
  /** Resolves when all accepted posts are stored. */
  close(): Promise<void>
}

/** Posts stored in one transaction: those that arrive while another runs, up to a number that keeps the statement short. */
const BATCH = 200
/** Posts that may wait while one transaction runs; further ones are refused, and the provider posts them again. */
const MAX_WAITING = 5000

interface Post {
  rows: NewInbound[]
  receipts: ReceiptRow[]
}

/**
 * Stores the posts of providers. Posts that arrive while a transaction runs share the next one, so a burst costs a few
 * commits. The database identifies a message by its provider's id: of several copies, on any node, only one makes a job.
 */
export function createIntake({ database, enqueueJobs }: IntakeOptions): Intake {
  let closed = false

  const store = (posts: readonly Post[]): Promise<{ messages: number }[]> =>
    database.transaction(async (transaction) => {
      const rows = posts.flatMap((post) => post.rows)
      const fresh = new Set(await insertInbound(transaction, rows))
      const receipts = await insertReceipts(
        transaction,
        posts.flatMap((post) => post.receipts),
      )
      const jobs: Job[] = rows
        .filter(({ id }) => fresh.has(id))
        .map(({ id, tenantId }) => ({ type: INBOUND_MESSAGE, data: { id, tenantId } }))
      if (receipts > 0) jobs.push({ type: INBOUND_RECEIPTS, data: {} })
      if (jobs.length > 0) await enqueueJobs(transaction, jobs)
      return posts.map((post) => ({ messages: post.rows.filter(({ id }) => fresh.has(id)).length }))
    })

  const batcher = createBatcher<Post, { messages: number }>({
    run: store,
    max: BATCH,
    splitsAfter: (error) => !isDatabaseAway(error),
  })

  return {
    accept({ channel, ...account }, { messages, receipts }) {
      if (closed) return Promise.reject(fail('SHUTTING_DOWN'))
      if (messages.length + receipts.length === 0) return Promise.resolve({ messages: 0 })
      if (batcher.waiting() >= MAX_WAITING)
        return Promise.reject(fail('INBOUND_BUSY', { waiting: batcher.waiting() }))
      return batcher.add({
        rows: messages.map((said) => ({ ...account, ...said, channel, id: randomUUID() })),
        receipts: receipts.map((receipt) => ({ ...account, ...receipt })),
      })
    },
    async close() {
      closed = true
      await batcher.settled()
    },
  }
}
