import type { Announce, ReceivedMessage } from '../outbound/index.ts'
import { fail } from '../platform/errors.ts'
import type { Database } from '../platform/postgres/index.ts'
import { type ConversationOptions, createConversation } from './conversation.ts'
import { type EnqueueJobs, INBOUND_MESSAGE, INBOUND_RECEIPTS, PROCESS_AI_RESPONSE } from './jobs.ts'
import { type Bounce, createReceipts } from './receipts.ts'
import { createReplies, type RepliesOptions } from './replies.ts'
import { findInbound } from './sql/inbound.ts'

interface HandlersOptions extends RepliesOptions, ConversationOptions {
  database: Database
  enqueueJobs: EnqueueJobs
  bounce: Bounce
  announce: Announce
  /** Publishes a person's message to receivers that want it; the same one twice is one event. */
  publishReceived: (message: ReceivedMessage) => Promise<void>
}

/** A handler gets the data of a job, and rejects to have the job retried. */
type Handlers = Record<string, (data: Record<string, unknown>) => Promise<void>>

/** Handlers of the queue `incoming`, by job type. */
export function createHandlers(options: HandlersOptions): Handlers {
  const replies = createReplies(options)
  const receipts = createReceipts(options)
  const conversation = createConversation(options)
  return {
    [INBOUND_MESSAGE]: async ({ id }) => {
      // first: a visitor may be waiting for it
      await replies.handle(textOf(id))
      const message = await findInbound(options.database, textOf(id))
      if (message) await options.publishReceived(message)
    },
    [INBOUND_RECEIPTS]: async ({ looks }) => {
      await receipts.apply(typeof looks === 'number' ? looks : 0)
    },
    [PROCESS_AI_RESPONSE]: async ({ id, phone }) => {
      await conversation.handle(textOf(id), textOf(phone))
    },
  }
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw fail('INBOUND_JOB', { problem: 'an id is missing' })
  return value
}
