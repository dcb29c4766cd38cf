import { asJsonb, type Querier } from '../../platform/postgres/index.ts'

export type InboundChannel = 'whatsapp' | 'unoapi' | 'twilio'

/** What carries messages between people. Twilio serves both, and a number proves nothing from one to the other. */
export type Network = 'whatsapp' | 'sms'

/** The account that received a message. */
export interface Account {
  tenantId: string
  instanceId: string
}

/** A person's message, as stored. */
export interface InboundRow extends Account {
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
}

export type NewInbound = Omit<InboundRow, 'network' | 'receivedAt' | 'processedAt' | 'outcome'> & {
  payload: unknown
}

const COLUMNS = `id, tenant_id as "tenantId", instance_id as "instanceId", channel,
  case when channel = 'twilio' and payload ->> 'From' not like 'whatsapp:%' then 'sms' else 'whatsapp' end as network,
  provider_id as "providerId", kind,
  phone, user_id as "userId", text, button_id as "buttonId", quoted_id as "quotedId", sent_at as "sentAt",
  received_at as "receivedAt", processed_at as "processedAt", outcome`

/** Inserts the messages that are new; resolves with their ids. */
export async function insertInbound(database: Querier, rows: readonly NewInbound[]): Promise<string[]> {
  if (rows.length === 0) return []
  // in the same order everywhere, so that two nodes with the same messages cannot deadlock
  const sorted = rows.toSorted((a, b) => compare(a.providerId, b.providerId))
  const inserted = await database.query<{ id: string }>(
    `insert into inbound_messages (id, tenant_id, instance_id, channel, provider_id, kind, phone, user_id, text, button_id,
       quoted_id, sent_at, payload)
     select id, "tenantId", "instanceId", channel, "providerId", kind, phone, "userId", text, "buttonId", "quotedId",
       "sentAt", coalesce(payload, '{}')
     from jsonb_to_recordset($1::jsonb) as batch (id uuid, "tenantId" text, "instanceId" text, channel text,
       "providerId" text, kind text, phone text, "userId" text, text text, "buttonId" text, "quotedId" text,
       "sentAt" timestamptz, payload jsonb)
     on conflict (tenant_id, instance_id, provider_id) do nothing
     returning id`,
    [asJsonb(sorted)],
  )
  return inserted.map(({ id }) => id)
}

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
  { tenantId, instanceId }: Account,
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

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
