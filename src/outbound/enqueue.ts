import { createBatcher } from '../platform/batch.ts'
import { type Database, isDatabaseAway, type Transaction } from '../platform/postgres/index.ts'
import { withTimeout } from '../platform/time.ts'
import type { NewJob, Queue } from '../queue/index.ts'
import { isFree, originOf } from './free-webhooks.ts'
import type { DeliveryFact, MessageStatus, NewMessage } from './message.ts'
import { type MessageDefaults, type Prepared, prepare } from './new-message.ts'
import { isIdempotent } from './outcome.ts'
import { type FreshMessage, findByKeys, insertMessages, insertNewMessages } from './sql/messages.ts'

/** Messages in one transaction at most, and bytes of their bodies. */
const BATCH = 500
const BATCH_BYTES = 4 * 1024 * 1024
/** ms that a direct send waits for a hanging database, where the receiver recognises a second copy by its id. */
const DIRECT_STORE_MS = 1000
/**
 * ms for which the job waits of a message that is stored and then sent past the queue; longer than the journal of a process that died is
 * left alone, so that no worker sends what that process may have sent.
 */
const DIRECT_LEASE_MS = 10 * 60_000

/** Result of enqueuing a message. */
export interface Enqueued {
  id: string
  status: MessageStatus
  /** The tenant already has a message with this key; `id` is that message's. */
  duplicate: boolean
  /** It was sent past the queue; whether its receiver may get a second copy. */
  direct?: { duplicatePossible: boolean }
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

/** The unit of fairness within a tenant: its account with a provider, or one of its endpoints. */
export function groupOf({
  tenantId,
  instanceId,
  channel,
  to,
}: Pick<FreshMessage, 'tenantId' | 'instanceId' | 'channel' | 'to'>): string {
  if (isFree({ channel, to })) return `${tenantId}/${channel}/${originOf(to)}`
  return channel === 'webhook' || channel === 'gate'
    ? `${tenantId}/${channel}/${to}`
    : `${tenantId}/${channel}/${instanceId}`
}

/** Writes messages and their jobs in one transaction; no worker takes the jobs before `startAfter`. */
export async function writeMessages(
  queue: Queue,
  transaction: Transaction,
  messages: readonly FreshMessage[],
  startAfter?: Date,
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
      fresh.map((message) => jobOf(message, message.id, startAfter)),
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

/** Sends new messages without headers, and their jobs, with the commit; that fails if one of them existed before. */
export async function sendNewMessages(
  queue: Queue,
  transaction: Transaction,
  messages: readonly FreshMessage[],
  startAfter?: Date,
): Promise<void> {
  transaction.sent(insertNewMessages(transaction, messages))
  for (const [name, fresh] of Map.groupBy(messages, (message) => message.queue)) {
    const jobs = fresh.map((message) => jobOf(message, message.id, startAfter))
    await queue.enqueueUnawaited(name, jobs, transaction)
  }
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

interface EnqueueOptions {
  database: Database
  queue: Queue
  defaults: MessageDefaults
  /** Sends past the queue; undefined: messages wait for Postgres. */
  direct:
    | { sendDirectly: (message: FreshMessage, options?: { stored?: boolean }) => Promise<Enqueued> }
    | undefined
  /** Announces a change of a message's delivery in this process. */
  publish: (fact: DeliveryFact) => void
  now: () => number
}

/** The one way into the queue. */
export function createEnqueue({ database, queue, defaults, direct, publish, now }: EnqueueOptions) {
  /** Errors after which the messages may be stored all the same: they came after the last query, during the commit. */
  const inDoubt = new WeakSet<object>()
  const store = async (messages: readonly FreshMessage[], startAfter?: Date): Promise<Enqueued[]> => {
    let committing = false
    try {
      return await database.transaction(async (transaction) => {
        const areNew = messages.every(({ idempotencyKey, headers }) => idempotencyKey === null && !headers)
        // they have ids of their own, so that nothing has to be asked before the commit
        if (areNew) await sendNewMessages(queue, transaction, messages, startAfter)
        const written = areNew
          ? messages.map(({ id }): Enqueued => ({ id, status: 'pending', duplicate: false }))
          : await writeMessages(queue, transaction, messages, startAfter)
        committing = true
        return written
      })
    } catch (error) {
      if (committing) inDoubt.add(error as object)
      throw error
    }
  }

  const batcher = createBatcher<Prepared, Enqueued>({
    run: (prepared) => store(prepared.map(({ message }) => message)),
    max: BATCH,
    weight: { of: ({ bytes }) => bytes, max: BATCH_BYTES },
    splitsAfter: (error) => !isDatabaseAway(error),
  })

  /** Stores the message, or sends it at once when Postgres is away. */
  const storeOrSend = async (
    prepared: Prepared,
    { sendDirectly }: NonNullable<typeof direct>,
  ): Promise<Enqueued> => {
    const { message } = prepared
    let mayBeStored: boolean
    try {
      const stored = batcher.add(prepared)
      if (!isIdempotent(message.channel)) return await stored
      const inTime = await withTimeout(DIRECT_STORE_MS, stored)
      if (inTime) return inTime
      // if the insert succeeds after all, it has the same id, and reconciling joins the two
      stored.catch(() => {})
      mayBeStored = true
    } catch (error) {
      if (!isDatabaseAway(error)) throw error
      mayBeStored = inDoubt.has(error as object)
    }
    return withDoubt(await sendDirectly(message), mayBeStored || message.idempotencyKey !== null)
  }

  /** Sends the message at once, and stores it first if it can: a known idempotency key sends nothing. */
  const sendNow = async (
    { message }: Prepared,
    { sendDirectly }: NonNullable<typeof direct>,
  ): Promise<Enqueued> => {
    let stored: Enqueued | undefined
    try {
      stored = (await store([message], new Date(now() + DIRECT_LEASE_MS)))[0]!
    } catch (error) {
      if (!isDatabaseAway(error)) throw error
    }
    if (stored?.duplicate) return stored
    try {
      const sent = await sendDirectly(message, { stored: stored !== undefined })
      // only the database knows a key that was used before
      return stored ? sent : withDoubt(sent, message.idempotencyKey !== null)
    } catch (error) {
      if (!stored) throw error
      // it was not sent, so its job need not wait
      await queue.remove(message.queue, [message.id])
      await queue.enqueue(message.queue, [jobOf(message, message.id)])
      return stored
    }
  }

  /**
   * Resolves when the message is committed, or, with a transaction, when it is part of that. Messages enqueued at the same
   * time share a transaction. `fallback: 'direct'` sends at once while Postgres is away, `useQueue: false` also while it is there.
   * Throws MESSAGE_INVALID, DATABASE_UNREACHABLE, and past the queue CHANNEL_UNAVAILABLE, FALLBACK_UNWRITABLE.
   */
  return async (
    message: NewMessage,
    {
      transaction,
      fallback,
      useQueue = true,
    }: { transaction?: Transaction; fallback?: 'direct'; useQueue?: boolean } = {},
  ): Promise<Enqueued> => {
    const prepared = prepare(message, defaults, now())
    const fresh = prepared.message
    let enqueued: Enqueued
    if (transaction) enqueued = (await writeMessages(queue, transaction, [fresh]))[0]!
    else if (direct && !useQueue) enqueued = await sendNow(prepared, direct)
    else if (direct && fallback) enqueued = await storeOrSend(prepared, direct)
    else enqueued = await batcher.add(prepared)
    if (!enqueued.duplicate) {
      const { id: messageId, tenantId, channel, callId } = fresh
      const attempts = enqueued.status === 'pending' ? 0 : 1
      publish({ messageId, tenantId, channel, callId, status: enqueued.status, attempts })
    }
    return enqueued
  }
}

function withDoubt(sent: Enqueued, mayBeStored: boolean): Enqueued {
  return mayBeStored && sent.direct ? { ...sent, direct: { duplicatePossible: true } } : sent
}
