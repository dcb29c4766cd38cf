import { randomUUID } from 'node:crypto'
import { fail } from '../platform/errors.ts'
import type { Database, Transaction } from '../platform/postgres/index.ts'
import { deadOf, isQueue, type Queue } from '../queue/index.ts'
import type { Announce } from './announcements.ts'
import { jobOf } from './enqueue.ts'
import { advance } from './outcome.ts'
import {
  changeMessages,
  findByProviderId,
  lockMatching,
  lockMessages,
  type MessageFilter,
  type MessageRow,
} from './sql/messages.ts'

/** Messages changed in one transaction. */
const BATCH = 500

export interface RedriveFilter extends Pick<MessageFilter, 'tenantId' | 'channel' | 'callId' | 'since'> {
  /** Only these, each in a transaction of its own. */
  ids?: readonly string[] | undefined
}

interface ChangesOptions {
  database: Database
  queue: Queue
  announce: Announce
}

/** Changes that people and providers make to messages, as far as `deliveryMachine` allows. */
export function createChanges({ database, queue, announce }: ChangesOptions) {
  const lockOne = async (transaction: Transaction, id: string, tenantId: string | undefined) => {
    const [message] = isUuid(id) ? await lockMessages(transaction, [id]) : []
    // another tenant's message is unknown
    if (!message || (tenantId !== undefined && message.tenantId !== tenantId))
      throw fail('MESSAGE_UNKNOWN', { messageId: id })
    return message
  }

  const redriveAll = async (transaction: Transaction, messages: readonly MessageRow[]) => {
    const changes = messages.map((message) => ({
      id: message.id,
      status: advance(message, { type: 'message.redriven' }),
      jobId: randomUUID(),
      attemptsBefore: message.attempts,
    }))
    await changeMessages(transaction, changes)
    for (const [name, some] of Map.groupBy(messages, (message) => message.queue)) {
      for (const [old, of] of Map.groupBy(some, ({ status }) =>
        status === 'failed' ? deadName(name) : name,
      ))
        await queue.remove(
          old,
          of.map(({ jobId }) => jobId),
          transaction,
        )
      const jobs = some.map((message) => jobOf(message, changes.find(({ id }) => id === message.id)!.jobId))
      await queue.enqueue(name, jobs, transaction)
    }
  }

  return {
    /** Restarts a dead message, or ends the wait for its next attempt. Throws MESSAGE_UNKNOWN, MESSAGE_STATE. */
    retry: (id: string, tenantId?: string): Promise<MessageRow> =>
      database.transaction(async (transaction) => {
        const message = await lockOne(transaction, id, tenantId)
        await redriveAll(transaction, [message])
        return (await lockMessages(transaction, [id]))[0]!
      }),

    /**
     * Cancels matching messages that were not sent yet, the oldest first, in transactions of a few hundred. Resolves with their
     * number.
     */
    async cancelMatching(
      filter: Omit<RedriveFilter, 'ids'>,
      onProgress: (done: number) => void = () => {},
    ): Promise<number> {
      const until = new Date()
      let done = 0
      for (;;) {
        const count = await database.transaction(async (transaction) => {
          const status = ['pending', 'retrying', 'processing'] as const
          const found = await lockMatching(transaction, { ...filter, status, until, limit: BATCH })
          const changes = found.map((message) => ({
            ...message,
            status: advance(message, { type: 'message.cancelled' }),
          }))
          await changeMessages(
            transaction,
            changes.map(({ id, status, jobId, attemptsBefore }) => ({ id, status, jobId, attemptsBefore })),
          )
          for (const { id } of changes) await queue.notice(transaction, `cancelled ${id}`)
          return found.length
        })
        done += count
        onProgress(done)
        if (count < BATCH) return done
      }
    },

    /** Cancels a message and aborts its attempt if one is under way. Throws MESSAGE_UNKNOWN, MESSAGE_STATE. */
    cancel: (id: string, tenantId?: string): Promise<MessageRow> =>
      database.transaction(async (transaction) => {
        const message = await lockOne(transaction, id, tenantId)
        const { jobId, attemptsBefore } = message
        const status = advance(message, { type: 'message.cancelled' })
        await changeMessages(transaction, [{ id, status, jobId, attemptsBefore }])
        await queue.notice(transaction, `cancelled ${id}`)
        return (await lockMessages(transaction, [id]))[0]!
      }),

    /**
     * Restarts dead messages: those named, or those that match, the oldest first, in transactions of a few hundred. Calls
     * `onProgress` with the number so far. Resolves with their number. Throws MESSAGE_UNKNOWN, MESSAGE_STATE for those named.
     */
    async redrive(
      { ids, ...filter }: RedriveFilter,
      onProgress: (done: number) => void = () => {},
    ): Promise<number> {
      let done = 0
      for (const id of ids ?? []) {
        await database.transaction(async (transaction) =>
          redriveAll(transaction, [await lockOne(transaction, id, filter.tenantId)]),
        )
        onProgress(++done)
      }
      if (ids) return done
      // a message that dies again meanwhile stays dead
      const until = new Date()
      for (;;) {
        const count = await database.transaction(async (transaction) => {
          const found = await lockMatching(transaction, { ...filter, status: 'failed', until, limit: BATCH })
          if (found.length > 0) await redriveAll(transaction, found)
          return found.length
        })
        done += count
        onProgress(done)
        if (count < BATCH) return done
      }
    },

    /** Marks an accepted message as undeliverable, by the provider's report. False: it is not ours, or is marked already. */
    bounce: (
      providerId: string,
      { code = 'MESSAGE_BOUNCED', reason, tenantId }: { code?: string; reason: string; tenantId?: string },
    ): Promise<boolean> =>
      database.transaction(async (transaction) => {
        const known = await findByProviderId(transaction, providerId, tenantId)
        const [message] = known ? await lockMessages(transaction, [known.id]) : []
        if (message?.status !== 'sent') return false
        const { id, attemptsBefore } = message
        const status = advance(message, { type: 'message.bounced' })
        const jobId = randomUUID()
        const text = reason.slice(0, 500)
        const error = { code, message: text, details: { reason: text } }
        await changeMessages(transaction, [{ id, status, jobId, attemptsBefore, error }])
        const letter = { message: id, tenant: message.tenantId, channel: message.channel, error }
        await queue.enqueue(deadName(message.queue), [{ id: jobId, data: letter }], transaction)
        await announce(transaction, [{ message, status: 'failed', at: new Date(), error }])
        return true
      }),
  }
}

function deadName(name: string): string {
  return isQueue(name) ? deadOf(name) : `${name}.dead`
}

export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}
