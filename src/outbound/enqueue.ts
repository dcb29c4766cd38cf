import { createBatcher } from '../platform/batch.ts'
import { PorteiroError } from '../platform/errors.ts'
import type { Database, Transaction } from '../platform/postgres/index.ts'
import type { NewJob, Queue } from '../queue/index.ts'
import type { MessageStatus } from './message.ts'
import type { Prepared } from './new-message.ts'
import { type FreshMessage, findByKeys, insertMessages } from './sql/messages.ts'

/** Messages in one transaction at most, and bytes of their bodies. */
const BATCH = 500
const BATCH_BYTES = 4 * 1024 * 1024

/** Result of enqueuing a message. */
export interface Enqueued {
  id: string
  status: MessageStatus
  /** The tenant already has a message with this key; `id` is that message's. */
  duplicate: boolean
}

/** A message's job: the message's id, and the group and priority for the queue. */
export function jobOf(
  message: Pick<FreshMessage, 'id' | 'tenantId' | 'instanceId' | 'channel' | 'to' | 'priority'>,
  jobId: string,
  startAfter?: Date,
): NewJob {
  return {
    id: jobId,
    data: { message: message.id },
    group: groupOf(message),
    priority: message.priority,
    ...(startAfter && { startAfter }),
  }
}

/** The unit of fairness: a tenant's account with a provider, or one of its endpoints. */
export function groupOf({
  tenantId,
  instanceId,
  channel,
  to,
}: Pick<FreshMessage, 'tenantId' | 'instanceId' | 'channel' | 'to'>): string {
  return channel === 'webhook' || channel === 'gate'
    ? `${tenantId}/${channel}/${to}`
    : `${tenantId}/${channel}/${instanceId}`
}

/** Writes messages and their jobs in one transaction. */
export async function writeMessages(
  queue: Queue,
  transaction: Transaction,
  messages: readonly FreshMessage[],
): Promise<Enqueued[]> {
  // in one order everywhere, so that two transactions with the same keys cannot deadlock
  const sorted = messages.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const inserted = await insertMessages(transaction, sorted)
  const jobs = Map.groupBy(
    messages.filter(({ id }) => inserted.has(id)),
    (message) => message.queue,
  )
  for (const [name, fresh] of jobs) {
    await queue.enqueue(
      name,
      fresh.map((message) => jobOf(message, message.id)),
      transaction,
    )
  }
  const first = await firstOnes(
    transaction,
    messages.filter(({ id }) => !inserted.has(id)),
  )
  return messages.map((message) =>
    inserted.has(message.id)
      ? { id: message.id, status: 'pending', duplicate: false }
      : (first.get(keyOf(message)) ?? { id: message.id, status: 'pending', duplicate: true }),
  )
}

async function firstOnes(
  transaction: Transaction,
  duplicates: readonly FreshMessage[],
): Promise<Map<string, Enqueued>> {
  const keys = duplicates.flatMap(({ tenantId, idempotencyKey }) =>
    idempotencyKey === null ? [] : [{ tenantId, idempotencyKey }],
  )
  if (keys.length === 0) return new Map()
  const rows = await findByKeys(transaction, keys)
  return new Map(rows.map((row) => [keyOf(row), { id: row.id, status: row.status, duplicate: true }]))
}

function keyOf({ tenantId, idempotencyKey }: Pick<FreshMessage, 'tenantId' | 'idempotencyKey'>): string {
  return JSON.stringify([tenantId, idempotencyKey])
}

/** Messages enqueued at the same time share a transaction. */
export function createEnqueuer({ database, queue }: { database: Database; queue: Queue }) {
  return createBatcher<Prepared, Enqueued>({
    run: (prepared) =>
      database.transaction((transaction) =>
        writeMessages(
          queue,
          transaction,
          prepared.map(({ message }) => message),
        ),
      ),
    max: BATCH,
    weight: { of: ({ bytes }) => bytes, max: BATCH_BYTES },
    splitsAfter: (error) => error instanceof PorteiroError && error.code === 'DATABASE_QUERY',
  })
}
