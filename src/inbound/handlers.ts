import { fail } from '../platform/errors.ts'
import type { Database } from '../platform/postgres/index.ts'
import { type ConversingOptions, createConversing } from './conversation.ts'
import { type EnqueueJobs, INBOUND_MESSAGE, INBOUND_RECEIPTS, PROCESS_AI_RESPONSE } from './jobs.ts'
import { type Bounce, createReceipts } from './receipts.ts'
import { createReplies, type RepliesOptions } from './replies.ts'

interface HandlersOptions extends RepliesOptions, ConversingOptions {
  database: Database
  enqueueJobs: EnqueueJobs
  bounce: Bounce
}

/** A handler takes the data of its jobs, and rejects for a job that shall be tried again. */
type Handlers = Record<string, (data: Record<string, unknown>) => Promise<void>>

/** What the worker does with what came in, by type of job. */
export function createHandlers(options: HandlersOptions): Handlers {
  const replies = createReplies(options)
  const receipts = createReceipts(options)
  const conversing = createConversing(options)
  return {
    [INBOUND_MESSAGE]: async ({ id }) => {
      await replies.handle(textOf(id))
    },
    [INBOUND_RECEIPTS]: async ({ looks }) => {
      await receipts.apply(typeof looks === 'number' ? looks : 0)
    },
    [PROCESS_AI_RESPONSE]: async ({ id, phone }) => {
      await conversing.handle(textOf(id), textOf(phone))
    },
  }
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw fail('INBOUND_JOB', { problem: 'an id is missing' })
  return value
}
