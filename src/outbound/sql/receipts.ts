import { asJsonb, type Querier } from '../../platform/postgres/index.ts'
import type { MessageRow } from './messages.ts'

export type ReceiptStatus = 'sent' | 'delivered' | 'read' | 'failed'

/** A provider's report on one of our messages. */
export interface ReceiptRow {
  tenantId: string
  instanceId: string
  /** The provider's id of our message. */
  providerId: string
  status: ReceiptStatus
  at: Date
  /** Why it failed. */
  error: { code: string; message: string } | null
}

/** Inserts the receipts that are new; resolves with their number. */
export async function insertReceipts(database: Querier, rows: readonly ReceiptRow[]): Promise<number> {
  if (rows.length === 0) return 0
  const key = (row: ReceiptRow) => `${row.providerId} ${row.status}`
  const sorted = rows.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
  const inserted = await database.query(
    `insert into receipts (tenant_id, instance_id, provider_id, status, at, error)
     select "tenantId", "instanceId", "providerId", status, at, nullif(error, 'null')
     from jsonb_to_recordset($1::jsonb) as batch ("tenantId" text, "instanceId" text, "providerId" text, status text,
       at timestamptz, error jsonb)
     on conflict do nothing
     returning provider_id`,
    [asJsonb(sorted)],
  )
  return inserted.length
}

/** Moments that a message did not have before. */
interface ReceiptMoments {
  id: string
  delivered: Date | null
  read: Date | null
}

/**
 * Applies every waiting receipt to its message: `delivered_at` and `read_at`, in any order; the earliest moment of each
 * counts, and a read message counts as delivered. Resolves with the messages that got a moment for the first time.
 */
export function takeReceipts(database: Querier): Promise<ReceiptMoments[]> {
  return database.query<ReceiptMoments>(
    `with found as (
       update receipts r set applied_at = now() from messages m
       where r.applied_at is null and r.status <> 'failed' and ${IS_FOR}
       returning m.id, r.status, r.at, m.delivered_at, m.read_at
     ), moments as (
       select id, min(at) filter (where status in ('delivered', 'read')) as delivered,
         min(at) filter (where status = 'read') as read,
         bool_or(delivered_at is not null) as was_delivered, bool_or(read_at is not null) as was_read
       from found group by id
     )
     update messages m set delivered_at = least(m.delivered_at, moments.delivered), read_at = least(m.read_at, moments.read)
     from moments where m.id = moments.id and moments.delivered is not null
     returning m.id, case when not was_delivered then moments.delivered end as delivered,
       case when not was_read then moments.read end as read`,
  )
}

/** Gives up receipts older than `youngMs` whose message is not known. Resolves with the number of those that still wait. */
export async function waitingReceipts(database: Querier, youngMs: number): Promise<number> {
  await database.query(
    `update receipts r set applied_at = now()
     where applied_at is null and received_at <= now() - $1 * interval '1 millisecond'
       and (status <> 'failed' or not exists (select from messages m where ${IS_FOR}))`,
    [youngMs],
  )
  const [left] = await database.query<{ waiting: number }>(
    `select count(*)::int as waiting from receipts r
     where applied_at is null and not exists (select from messages m where ${IS_FOR})`,
  )
  return left!.waiting
}

/** Provider ids are unique only within an account. */
const IS_FOR = 'm.tenant_id = r.tenant_id and m.instance_id = r.instance_id and m.provider_id = r.provider_id'

/** Unhandled receipts of messages that the provider accepted and could not deliver. */
export function listUndelivered(database: Querier): Promise<(ReceiptRow & { messageId: string })[]> {
  return database.query<ReceiptRow & { messageId: string }>(
    `select r.tenant_id as "tenantId", r.instance_id as "instanceId", r.provider_id as "providerId", r.status, r.at, r.error,
       m.id as "messageId"
     from receipts r join messages m on ${IS_FOR}
     where r.applied_at is null and r.status = 'failed' order by r.received_at limit 1000`,
  )
}

/** The receipts of a message since it was last sent, in the order of the provider's clock. */
export async function receiptsOf(
  database: Querier,
  { tenantId, instanceId, providerId }: Pick<MessageRow, 'tenantId' | 'instanceId' | 'providerId'>,
): Promise<ReceiptRow[]> {
  if (providerId === null) return []
  return database.query<ReceiptRow>(
    `select tenant_id as "tenantId", instance_id as "instanceId", provider_id as "providerId", status, at, error
     from receipts where tenant_id = $1 and instance_id = $2 and provider_id = $3 order by at, received_at`,
    [tenantId, instanceId, providerId],
  )
}

export async function markReceiptHandled(
  database: Querier,
  { tenantId, instanceId, providerId, status }: ReceiptRow,
): Promise<void> {
  await database.query(
    `update receipts set applied_at = now()
     where tenant_id = $1 and instance_id = $2 and provider_id = $3 and status = $4`,
    [tenantId, instanceId, providerId, status],
  )
}

/** Deletes receipts older than `days`, at most `limit`; resolves with their number. */
export async function deleteOldReceipts(database: Querier, days: number, limit = 1000): Promise<number> {
  const rows = await database.query(
    `delete from receipts where (tenant_id, instance_id, provider_id, status) in (
       select tenant_id, instance_id, provider_id, status from receipts
       where received_at < now() - $1 * interval '1 day' limit $2
     ) returning provider_id`,
    [days, limit],
  )
  return rows.length
}
