import { randomUUID } from 'node:crypto'
import type { Transaction } from '../platform/postgres/index.ts'
import { type Queue, typedJob } from '../queue/index.ts'

/** Job types of the queue `incoming`: a person's message, waiting receipts, an answer to a conversation. */
export const INBOUND_MESSAGE = 'inbound_message'
export const INBOUND_RECEIPTS = 'inbound_receipts'
export const PROCESS_AI_RESPONSE = 'process_ai_response'

/** A job for the handler of its type. */
export interface Job {
  type: string
  data: Record<string, unknown>
  /** Delay before it starts, in ms. */
  startAfterMs?: number
}

/** Puts jobs into the queue `incoming` as part of a transaction. */
export type EnqueueJobs = (transaction: Transaction, jobs: readonly Job[]) => Promise<void>

export function createEnqueueJobs(queue: Queue): EnqueueJobs {
  return async (transaction, jobs) => {
    // all in one statement: a burst of posts is one transaction
    const rows = jobs.map(({ type, data, startAfterMs }) =>
      typedJob(
        randomUUID(),
        { type, data },
        startAfterMs === undefined ? undefined : new Date(Date.now() + startAfterMs),
      ),
    )
    await queue.enqueue('incoming', rows, transaction)
  }
}
