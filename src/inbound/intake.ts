import { randomUUID } from 'node:crypto'
import { insertReceipts, type ReceiptRow } from '../outbound/index.ts'
import { createBatcher } from '../platform/batch.ts'
import { fail } from '../platform/errors.ts'
import {
  asJsonb,
  type Database,
  isDatabaseAway,
  prepared,
  type Querier,
  type Transaction,
} from '../platform/postgres/index.ts'
import { type Queue, typedJob } from '../queue/index.ts'
import type { Posted } from './posted.ts'

export type InboundChannel = 'whatsapp' | 'unoapi' | 'twilio'

/** What carries messages between people. Twilio serves both, and a number proves nothing from one to the other. */
export type Network = 'whatsapp' | 'sms'

/** The account that received a message. */
export interface AccountRef {
  tenantId: string
  instanceId: string
}

/** A person's message, as stored. */
export interface InboundRow extends AccountRef {
  id: string
  channel: InboundChannel
  network: Network
  providerId: string
  /** `text`, `button`, `reaction`, `media` or `other`. */
  kind: string
  /** E.164; null where the provider tells only its own id of the person. */
  phone: string | null
  userId: string | null
  text: string | null
  buttonId: string | null
  /** The provider's id of the message that this one answers. */
  quotedId: string | null
  /** By the provider's clock. */
  sentAt: Date | null
  receivedAt: Date
  processedAt: Date | null
  outcome: string | null
  /** As the provider posted it. */
  payload: unknown
}

type NewInbound = Omit<InboundRow, 'network' | 'receivedAt' | 'processedAt' | 'outcome'>

/** Job types of the queue `incoming`: a person's message, waiting receipts, an answer to a conversation. */
export const INBOUND_MESSAGE = 'inbound_message'
export const INBOUND_RECEIPTS = 'inbound_receipts'
export const PROCESS_AI_RESPONSE = 'process_ai_response'

/** A job for the handler of its type. */
export interface InboundJob {
  type: string
  data: Record<string, unknown>
  /** Delay before it starts, in ms. */
  startAfterMs?: number
}

/** Puts jobs into the queue `incoming` as part of a transaction; its commit need not wait for that. */
export type EnqueueJobs = (transaction: Transaction, jobs: readonly InboundJob[]) => Promise<void>

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
    await queue.enqueueUnawaited('incoming', rows, transaction)
  }
}

/** A text of a job's data. Errors: INBOUND_JOB. */
export function fieldOf(data: unknown, name: string): string {
  const value = (data as Record<string, unknown>)[name]
  if (typeof value !== 'string') throw fail('INBOUND_JOB', { problem: `${name} is missing` })
  return value
}

interface IntakeOptions {
  database: Database
  enqueueJobs: EnqueueJobs
}

export interface Intake {
  /**
   * Resolves when the new parts of a post are stored together with their jobs, in one transaction. `messages` is the number of
   * new messages. Errors: INBOUND_BUSY, DATABASE_UNREACHABLE, DATABASE_QUERY, SHUTTING_DOWN.
   */
  accept(account: AccountRef & { channel: InboundChannel }, posted: Posted): Promise<{ messages: number }>
  /** Resolves when all accepted posts are stored. */
  close(): Promise<void>
}

/** Posts stored in one transaction: those that arrive while another runs, up to a number that keeps the statement short. */
const BATCH = 200
/** Transactions at once: a post that comes during one need not wait for its end. */
const PARALLEL = 2
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

  /** Messages, jobs and the commit go to Postgres together. Fails if one of the messages is there already. */
  const storeNew = (rows: readonly NewInbound[]): Promise<void> =>
    database.transaction(async (transaction) => {
      transaction.sent(insertNew(transaction, rows))
      await enqueueJobs(transaction, rows.map(jobOf))
    })

  /** Waits to learn which messages are new: only those get a job. */
  const storeFresh = (posts: readonly Post[]): Promise<{ messages: number }[]> =>
    database.transaction(async (transaction) => {
      const rows = posts.flatMap((post) => post.rows)
      const fresh = new Set(await insertInbound(transaction, rows))
      const receipts = await insertReceipts(
        transaction,
        posts.flatMap((post) => post.receipts),
      )
      const jobs: InboundJob[] = rows.filter(({ id }) => fresh.has(id)).map(jobOf)
      if (receipts > 0) jobs.push({ type: INBOUND_RECEIPTS, data: {} })
      if (jobs.length > 0) await enqueueJobs(transaction, jobs)
      return posts.map((post) => ({ messages: post.rows.filter(({ id }) => fresh.has(id)).length }))
    })

  const store = async (posts: readonly Post[]): Promise<{ messages: number }[]> => {
    if (posts.some(({ receipts }) => receipts.length > 0)) return storeFresh(posts)
    try {
      await storeNew(posts.flatMap(({ rows }) => rows))
      return posts.map(({ rows }) => ({ messages: rows.length }))
    } catch (error) {
      if (isDatabaseAway(error)) throw error
      // few posts are copies
      return storeFresh(posts)
    }
  }

  const batcher = createBatcher<Post, { messages: number }>({
    run: store,
    max: BATCH,
    parallel: PARALLEL,
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

const jobOf = ({ id, tenantId }: NewInbound): InboundJob => ({
  type: INBOUND_MESSAGE,
  data: { id, tenantId },
})

const INSERT = `insert into inbound_messages (id, tenant_id, instance_id, channel, provider_id, kind, phone, user_id, text, button_id,
       quoted_id, sent_at, payload)
     select id, "tenantId", "instanceId", channel, "providerId", kind, phone, "userId", text, "buttonId", "quotedId",
       "sentAt", coalesce(payload, '{}')
     from jsonb_to_recordset($1::jsonb) as batch (id uuid, "tenantId" text, "instanceId" text, channel text,
       "providerId" text, kind text, phone text, "userId" text, text text, "buttonId" text, "quotedId" text,
       "sentAt" timestamptz, payload jsonb)`
const INSERT_ALL = prepared(INSERT)
const INSERT_FRESH = prepared(`${INSERT}
     on conflict (tenant_id, instance_id, provider_id) do nothing
     returning id`)

/** Inserts the messages that are new; resolves with their ids. */
async function insertInbound(database: Querier, rows: readonly NewInbound[]): Promise<string[]> {
  if (rows.length === 0) return []
  const inserted = await database.query<{ id: string }>(INSERT_FRESH, [asJsonb(inOrder(rows))])
  return inserted.map(({ id }) => id)
}

/** Inserts messages. Fails if one of them is there. */
function insertNew(database: Querier, rows: readonly NewInbound[]): Promise<unknown> {
  return database.query(INSERT_ALL, [asJsonb(inOrder(rows))])
}

/** The same order everywhere, so that two nodes with the same messages cannot deadlock. */
const inOrder = (rows: readonly NewInbound[]) => rows.toSorted((a, b) => compare(a.providerId, b.providerId))

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const COLUMNS = `id, tenant_id as "tenantId", instance_id as "instanceId", channel,
  case when channel = 'twilio' and payload ->> 'From' not like 'whatsapp:%' then 'sms' else 'whatsapp' end as network,
  provider_id as "providerId", kind,
  phone, user_id as "userId", text, button_id as "buttonId", quoted_id as "quotedId", sent_at as "sentAt",
  received_at as "receivedAt", processed_at as "processedAt", outcome, payload`

export async function findInbound(database: Querier, id: string): Promise<InboundRow | undefined> {
  const [row] = await database.query<InboundRow>(`select ${COLUMNS} from inbound_messages where id = $1`, [
    id,
  ])
  return row
}

export async function markProcessed(database: Querier, id: string, outcome: string): Promise<void> {
  await database.query(
    'update inbound_messages set processed_at = now(), outcome = $2 where id = $1 and processed_at is null',
    [id, outcome],
  )
}

/** The number of a user id, from an earlier message with both; null if there was none. */
export async function phoneOfUser(
  database: Querier,
  { tenantId, instanceId }: AccountRef,
  userId: string,
): Promise<string | null> {
  const [row] = await database.query<{ phone: string }>(
    `select phone from inbound_messages
     where tenant_id = $1 and instance_id = $2 and user_id = $3 and phone is not null
     order by received_at desc limit 1`,
    [tenantId, instanceId, userId],
  )
  return row?.phone ?? null
}

/** Number of a person's messages that were answered since `since`. */
export async function countAnswered(
  database: Querier,
  tenantId: string,
  phone: string,
  since: Date,
): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `select count(*)::int as count from inbound_messages
     where tenant_id = $1 and phone = $2 and received_at >= $3 and processed_at is not null
       and outcome not in ('ignored', 'silenced')`,
    [tenantId, phone, since],
  )
  return row!.count
}

/** Deletes messages received more than `days` ago, at most `limit`; resolves with their number. */
export async function deleteOldInbound(database: Querier, days: number, limit = 1000): Promise<number> {
  const rows = await database.query(
    `delete from inbound_messages where id in (
       select id from inbound_messages where received_at < now() - $1 * interval '1 day' limit $2
     ) returning id`,
    [days, limit],
  )
  return rows.length
}
