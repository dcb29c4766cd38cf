import { randomUUID } from 'node:crypto'
import { insertReceipts, type ReceiptRow } from '../outbound/index.ts'
import { asPorteiroError, fail } from '../platform/errors.ts'
import type { Database } from '../platform/postgres/index.ts'
import { type EnqueueJobs, INBOUND_MESSAGE, INBOUND_RECEIPTS, type Job } from './jobs.ts'
import type { Posted } from './posted.ts'
import { type Account, type InboundChannel, insertInbound, type NewInbound } from './sql/inbound.ts'

interface IntakeOptions {
  database: Database
  enqueueJobs: EnqueueJobs
  /** Posts that may wait while one transaction runs; further ones are refused, and their provider tries again. */
  maxWaiting?: number
}

export interface Intake {
  /**
   * Resolves when everything new of a post is stored, and the jobs that work on it are enqueued with it or not at all.
   * `messages` is how many were new. Errors: INBOUND_BUSY, DATABASE_UNREACHABLE, DATABASE_QUERY, SHUTTING_DOWN.
   */
  accept(account: Account & { channel: InboundChannel }, posted: Posted): Promise<{ messages: number }>
  /** Resolves when what was accepted is stored. */
  close(): Promise<void>
}

/** Posts stored in one transaction: as many as come in while another runs, but not so many that one statement gets long. */
const BATCH = 200
const MAX_WAITING = 5000

interface Waiting {
  rows: NewInbound[]
  receipts: ReceiptRow[]
  resolve: (result: { messages: number }) => void
  reject: (error: unknown) => void
}

/**
 * Takes in what providers post. Posts that come while a transaction runs share the next one, so that a burst costs a few
 * commits. The database knows each message by its provider's id, so that of many copies that arrive at the same moment, on
 * whatever node, one makes a job.
 */
export function createIntake({ database, enqueueJobs, maxWaiting = MAX_WAITING }: IntakeOptions): Intake {
  let waiting: Waiting[] = []
  let storing: Promise<void> | undefined
  let closed = false

  const store = (batch: readonly Waiting[]): Promise<Set<string>> =>
    database.transaction(async (transaction) => {
      const inserted = await insertInbound(
        transaction,
        batch.flatMap(({ rows }) => rows),
      )
      const receipts = await insertReceipts(
        transaction,
        batch.flatMap((post) => post.receipts),
      )
      const fresh = new Set(inserted)
      const jobs: Job[] = batch
        .flatMap(({ rows }) => rows)
        .filter(({ id }) => fresh.has(id))
        .map(({ id, tenantId }) => ({ type: INBOUND_MESSAGE, data: { id, tenantId } }))
      if (receipts > 0) jobs.push({ type: INBOUND_RECEIPTS, data: {} })
      if (jobs.length > 0) await enqueueJobs(transaction, jobs)
      return fresh
    })

  const settle = ({ rows, resolve }: Waiting, inserted: ReadonlySet<string>) =>
    resolve({ messages: rows.filter(({ id }) => inserted.has(id)).length })

  const storeAll = async () => {
    // whoever posts in this turn of the loop comes along
    await new Promise((resolve) => setImmediate(resolve))
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH)
      waiting = waiting.slice(BATCH)
      try {
        const inserted = await store(batch)
        for (const post of batch) settle(post, inserted)
      } catch (error) {
        // one post that Postgres refuses must not take its neighbours along
        const alone = batch.length === 1 || asPorteiroError(error).code === 'DATABASE_UNREACHABLE'
        for (const post of batch) {
          if (alone) post.reject(error)
          else await store([post]).then((inserted) => settle(post, inserted), post.reject)
        }
      }
    }
    storing = undefined
  }

  return {
    accept({ channel, ...account }, { messages, receipts }) {
      if (closed) return Promise.reject(fail('SHUTTING_DOWN'))
      if (messages.length + receipts.length === 0) return Promise.resolve({ messages: 0 })
      if (waiting.length >= maxWaiting)
        return Promise.reject(fail('INBOUND_BUSY', { waiting: waiting.length }))
      const { promise, resolve, reject } = Promise.withResolvers<{ messages: number }>()
      waiting.push({
        rows: messages.map((said) => ({ ...account, ...said, channel, id: randomUUID() })),
        receipts: receipts.map((receipt) => ({ ...account, ...receipt })),
        resolve,
        reject,
      })
      storing ??= storeAll()
      return promise
    },
    async close() {
      closed = true
      await storing
    },
  }
}
