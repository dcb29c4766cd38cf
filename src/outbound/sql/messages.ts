import { asJsonb, counting, prepared, type Querier } from '../../platform/postgres/index.ts'
import { type Headers, insertHeaders } from './message-headers.ts'

export type RowStatus = 'pending' | 'processing' | 'retrying' | 'sent' | 'failed' | 'expired' | 'cancelled'

/** Why the last attempt failed. */
export interface LastError {
  code: string
  message: string
  /** Details of the message; versions before migration 0013 write none. */
  details?: Record<string, unknown>
  /** HTTP status, if there was a response. */
  status?: number
}

export interface MessageRow {
  id: string
  tenantId: string
  instanceId: string
  channel: 'whatsapp' | 'twilio' | 'webhook' | 'gate'
  to: string
  body: Record<string, unknown>
  priority: number
  status: RowStatus
  maxRetries: number
  /** ms */
  retryDelayMs: number
  attempts: number
  /** Attempts that do not count against `maxRetries`: they were before the last redrive, or sent nothing. */
  attemptsBefore: number
  expiresAt: Date | null
  idempotencyKey: string | null
  callId: string | null
  providerId: string | null
  queue: string
  /** The one job that may still change it. */
  jobId: string
  lastError: LastError | null
  createdAt: Date
  updatedAt: Date
  nextAttemptAt: Date | null
  sentAt: Date | null
  deliveredAt: Date | null
  readAt: Date | null
}

const COLUMNS = `id, tenant_id as "tenantId", instance_id as "instanceId", channel, recipient as "to", body, priority,
  status, max_retries as "maxRetries", retry_delay_ms as "retryDelayMs", attempts, attempts_before as "attemptsBefore",
  expires_at as "expiresAt", idempotency_key as "idempotencyKey", call_id as "callId", provider_id as "providerId", queue,
  job_id as "jobId", last_error as "lastError", created_at as "createdAt", updated_at as "updatedAt",
  next_attempt_at as "nextAttemptAt", sent_at as "sentAt", delivered_at as "deliveredAt", read_at as "readAt"`

export type FreshMessage = Pick<
  MessageRow,
  | 'id'
  | 'tenantId'
  | 'instanceId'
  | 'channel'
  | 'to'
  | 'body'
  | 'priority'
  | 'maxRetries'
  | 'retryDelayMs'
  | 'expiresAt'
  | 'idempotencyKey'
  | 'callId'
  | 'queue'
  | 'createdAt'
> & {
  /** Of a webhook to a URL, as they are stored. */
  headers?: Headers
}

const INSERT = `insert into messages (id, job_id, tenant_id, instance_id, channel, recipient, body, priority, status, max_retries,
     retry_delay_ms, expires_at, idempotency_key, call_id, queue, created_at, updated_at)
   select id, id, "tenantId", "instanceId", channel, "to", body, priority, 'pending', "maxRetries", "retryDelayMs",
     "expiresAt", "idempotencyKey", "callId", queue, "createdAt", "createdAt"
   from jsonb_to_recordset($1::jsonb) as batch (id uuid, "tenantId" text, "instanceId" text, channel text, "to" text,
     body jsonb, priority smallint, "maxRetries" int, "retryDelayMs" int, "expiresAt" timestamptz,
     "idempotencyKey" text, "callId" text, queue text, "createdAt" timestamptz)
   on conflict do nothing returning id`
const INSERT_IF_NEW = prepared(INSERT)
const INSERT_NEW = prepared(counting(INSERT, 'jsonb_array_length($1::jsonb)'))

/**
 * Inserts messages in one statement; each starts as `pending` with a job of the same id. Resolves with the new ids:
 * for the others, id or (tenant, key) existed before. Waits for transactions that insert the same key.
 */
export async function insertMessages(
  database: Querier,
  messages: readonly FreshMessage[],
): Promise<Set<string>> {
  const rows = await database.query<{ id: string }>(INSERT_IF_NEW, [asJsonb(messages)])
  const inserted = new Set(rows.map((row) => row.id))
  const withHeaders = messages.flatMap(({ id, headers }) =>
    headers && inserted.has(id) ? [{ id, headers }] : [],
  )
  if (withHeaders.length > 0) await insertHeaders(database, withHeaders)
  return inserted
}

/** The same for messages without headers; fails if one of them existed before. */
export async function insertNewMessages(database: Querier, messages: readonly FreshMessage[]): Promise<void> {
  await database.query(INSERT_NEW, [asJsonb(messages)])
}

export function findByKeys(
  database: Querier,
  keys: readonly { tenantId: string; idempotencyKey: string }[],
): Promise<Pick<MessageRow, 'id' | 'tenantId' | 'idempotencyKey' | 'status'>[]> {
  return database.query(
    `select id, tenant_id as "tenantId", idempotency_key as "idempotencyKey", status from messages
     where (tenant_id, idempotency_key) in (
       select * from jsonb_to_recordset($1::jsonb) as batch ("tenantId" text, "idempotencyKey" text)
     )`,
    [asJsonb(keys)],
  )
}

export async function findMessage(database: Querier, id: string): Promise<MessageRow | undefined> {
  const [row] = await findMessages(database, [id])
  return row
}

export function findMessages(database: Querier, ids: readonly string[]): Promise<MessageRow[]> {
  return database.query<MessageRow>(`select ${COLUMNS} from messages where id = any($1::uuid[])`, [ids])
}

/** The same, locked until the transaction ends, so that nobody else changes them. */
export function lockMessages(transaction: Querier, ids: readonly string[]): Promise<MessageRow[]> {
  return transaction.query<MessageRow>(
    `select ${COLUMNS} from messages where id = any($1::uuid[]) order by id for update`,
    [ids],
  )
}

export interface MessageFilter {
  tenantId?: string | undefined
  channel?: string | undefined
  status?: RowStatus | readonly RowStatus[] | undefined
  callId?: string | undefined
  /** Created at this time or later. */
  since?: Date | undefined
}

const FILTER = `($1::text is null or tenant_id = $1)
  and ($2::text is null or channel = $2)
  and ($3::text[] is null or status = any($3))
  and ($4::text is null or call_id = $4)
  and ($5::timestamptz is null or created_at >= $5)`

function filterValues({ tenantId, channel, status, callId, since }: MessageFilter): unknown[] {
  const statuses = status === undefined ? null : typeof status === 'string' ? [status] : status
  return [tenantId ?? null, channel ?? null, statuses, callId ?? null, since ?? null]
}

/** Newest first; `before` is the last row of the previous page. */
export function listMessages(
  database: Querier,
  {
    limit,
    before,
    ...filter
  }: MessageFilter & { limit: number; before?: { createdAt: Date; id: string } | undefined },
): Promise<MessageRow[]> {
  return database.query<MessageRow>(
    `select ${COLUMNS} from messages
     where ${FILTER} and ($6::timestamptz is null or (created_at, id) < ($6, $7::uuid))
     order by created_at desc, id desc limit $8`,
    [...filterValues(filter), before?.createdAt ?? null, before?.id ?? null, limit],
  )
}

/**
 * At most `limit` matching messages that have not changed since `until`, oldest first, locked until the transaction ends;
 * messages locked by others are skipped.
 */
export function lockMatching(
  transaction: Querier,
  { until, limit, ...filter }: MessageFilter & { until: Date; limit: number },
): Promise<MessageRow[]> {
  return transaction.query<MessageRow>(
    `select ${COLUMNS} from messages where ${FILTER} and updated_at <= $6
     order by created_at, id limit $7 for update skip locked`,
    [...filterValues(filter), until, limit],
  )
}

/** At most `limit` waiting messages that expired before `at`; of these tenants, or of all. */
export function findOverdue(
  database: Querier,
  wanted: { tenantIds: readonly string[] | undefined; belowPriority: number; at: Date; limit: number },
): Promise<MessageRow[]> {
  return database.query<MessageRow>(
    `select ${COLUMNS} from messages
     where expires_at <= $1 and status in ('pending', 'retrying') and priority < $2
       and ($3::text[] is null or tenant_id = any($3))
     order by expires_at limit $4`,
    [wanted.at, wanted.belowPriority, wanted.tenantIds ?? null, wanted.limit],
  )
}

/** Changes messages for a person or the API: their status, and their job. */
export async function changeMessages(
  transaction: Querier,
  changes: readonly {
    id: string
    status: RowStatus
    jobId: string
    attemptsBefore: number
    error?: LastError
  }[],
): Promise<void> {
  await transaction.query(
    `update messages set status = batch.status, job_id = batch."jobId", attempts_before = batch."attemptsBefore",
       last_error = coalesce(nullif(batch.error, 'null'), messages.last_error), next_attempt_at = null,
       updated_at = now()
     from jsonb_to_recordset($1::jsonb)
       as batch (id uuid, status text, "jobId" uuid, "attemptsBefore" int, error jsonb)
     where messages.id = batch.id`,
    [asJsonb(changes)],
  )
}

/** The newest message with this provider id. */
export async function findByProviderId(
  database: Querier,
  providerId: string,
  tenantId?: string,
): Promise<MessageRow | undefined> {
  const [row] = await database.query<MessageRow>(
    `select ${COLUMNS} from messages where provider_id = $1 and ($2::text is null or tenant_id = $2)
     order by created_at desc limit 1`,
    [providerId, tenantId ?? null],
  )
  return row
}

/**
 * Deletes at most `limit` messages that were finished more than `days` ago, with their attempts; unsent messages stay,
 * however old. Resolves with the deleted ones, so that their dead letters can be deleted too; an empty list means that
 * nothing is left.
 */
export async function deleteOldMessages(
  database: Querier,
  days: number,
  limit = 1000,
): Promise<Pick<MessageRow, 'id' | 'queue' | 'jobId' | 'status'>[]> {
  return database.query(
    `with gone as (
       delete from messages where id in (
         select id from messages
         where status in ('sent', 'failed', 'expired', 'cancelled') and updated_at < now() - $1 * interval '1 day'
         limit $2
       ) returning id, queue, job_id, status
     ), attempts as (
       delete from message_attempts using gone where message_id = gone.id
     )
     select id, queue, job_id as "jobId", status from gone`,
    [days, limit],
  )
}
