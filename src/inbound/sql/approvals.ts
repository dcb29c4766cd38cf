import type { Querier } from '../../platform/postgres/index.ts'
import type { Account } from './inbound.ts'

export type ApprovalVerdict = 'authorized' | 'denied'

/** One resident who was asked about one visit. */
export interface Approval extends Account {
  id: string
  callId: string
  channel: 'whatsapp' | 'twilio'
  unitId: string
  unitLabel: string
  residentId: string
  residentName: string
  /** E.164. */
  phone: string
  /** Ids of the messages that asked. */
  messages: string[]
  status: 'waiting' | 'decided' | 'late' | 'closed'
  askedAt: Date
  expiresAt: Date
  verdict: ApprovalVerdict | null
  /** The reply that decided or was late. */
  replyId: string | null
}

type NewApproval = Omit<Approval, 'messages' | 'status' | 'askedAt' | 'verdict' | 'replyId'>

const COLUMNS = `a.id, a.call_id as "callId", a.tenant_id as "tenantId", a.instance_id as "instanceId", a.channel,
  a.unit_id as "unitId", a.unit_label as "unitLabel", a.resident_id as "residentId", a.resident_name as "residentName",
  a.phone, a.messages, a.status, a.asked_at as "askedAt", a.expires_at as "expiresAt", a.verdict, a.reply_id as "replyId"`

/** An approval waits until it expires, even if the node that would have closed it has died. */
const WAITS = `a.status = 'waiting' and a.expires_at > now()`

/** Opens an approval; a second one for the same person and visit reopens the same row. Resolves with its id. */
export async function openApproval(database: Querier, approval: NewApproval): Promise<string> {
  const [row] = await database.query<{ id: string }>(
    `insert into approvals (id, call_id, tenant_id, instance_id, channel, unit_id, unit_label, resident_id, resident_name,
       phone, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict (call_id, phone) do update set expires_at = excluded.expires_at, closed_at = null,
       status = case when approvals.status = 'closed' then 'waiting' else approvals.status end
     returning id`,
    [
      approval.id,
      approval.callId,
      approval.tenantId,
      approval.instanceId,
      approval.channel,
      approval.unitId,
      approval.unitLabel,
      approval.residentId,
      approval.residentName,
      approval.phone,
      approval.expiresAt,
    ],
  )
  return row!.id
}

/** Adds messages that ask, each once, so that a reply quoting one of them finds the approval. */
export async function noteQuestions(
  database: Querier,
  id: string,
  messages: readonly string[],
): Promise<void> {
  await database.query(
    `update approvals set messages = messages ||
       array(select unnest($2::uuid[]) except select unnest(messages)) where id = $1`,
    [id, messages],
  )
}

/** Closes the approvals of a visit. Resolves with the ids of the messages that asked. */
export async function closeApprovals(database: Querier, callId: string): Promise<string[]> {
  const rows = await database.query<{ messages: string[] }>(
    `update approvals set status = 'closed', closed_at = now()
     where call_id = $1 and status = 'waiting' returning messages`,
    [callId],
  )
  return rows.flatMap(({ messages }) => messages)
}

/** Only of this tenant: an id in a button comes from outside. */
export async function findApproval(
  database: Querier,
  tenantId: string,
  id: string,
): Promise<Approval | undefined> {
  const [row] = await database.query<Approval>(
    `select ${COLUMNS} from approvals a where a.tenant_id = $1 and a.id = $2`,
    [tenantId, id],
  )
  return row
}

/** Finds an approval by the provider's id of its question. */
export async function findByQuestion(
  database: Querier,
  { tenantId, instanceId }: Account,
  providerId: string,
): Promise<Approval | undefined> {
  const [row] = await database.query<Approval>(
    `select ${COLUMNS} from messages m join approvals a on a.messages @> array[m.id]
     where m.tenant_id = $1 and m.instance_id = $2 and m.provider_id = $3 and a.tenant_id = $1 limit 1`,
    [tenantId, instanceId, providerId],
  )
  return row
}

/** The approvals of a person since `since`, the latest first, and those that still wait however old they are. */
export function listByPhone(
  database: Querier,
  tenantId: string,
  phone: string,
  since: Date,
): Promise<(Approval & { waits: boolean })[]> {
  return database.query<Approval & { waits: boolean }>(
    `select ${COLUMNS}, (${WAITS}) as waits from approvals a
     where a.tenant_id = $1 and a.phone = $2 and (a.asked_at >= $3 or (${WAITS}))
     order by a.asked_at desc limit 50`,
    [tenantId, phone, since],
  )
}

/**
 * Lets this reply decide, if its question still waits and no other reply has decided the visit, and closes the other
 * questions. Needs a transaction. `taken` also if this very reply was taken before.
 */
export async function takeReply(
  transaction: Querier,
  approval: Approval,
  verdict: ApprovalVerdict,
  replyId: string,
): Promise<'taken' | 'late'> {
  // locks all approvals of the visit in one order, so that two residents who answer at once take turns here
  const rows = await transaction.query<Approval & { waits: boolean }>(
    `select ${COLUMNS}, (${WAITS}) as waits from approvals a where a.call_id = $1 order by a.id for update`,
    [approval.callId],
  )
  const own = rows.find(({ id }) => id === approval.id)
  if (own?.replyId === replyId) return own.status === 'decided' ? 'taken' : 'late'
  const isDecided = rows.some(({ status }) => status === 'decided')
  if (!own?.waits || isDecided) {
    await markReplyLate(transaction, approval.id, verdict, replyId)
    return 'late'
  }
  await transaction.query(
    `update approvals set status = 'decided', verdict = $2, reply_id = $3, closed_at = now() where id = $1`,
    [approval.id, verdict, replyId],
  )
  await closeApprovals(transaction, approval.callId)
  return 'taken'
}

/** Marks a reply as late: the visit was decided otherwise or is over. A question that still waits is not changed. */
export async function markReplyLate(
  database: Querier,
  id: string,
  verdict: ApprovalVerdict,
  replyId: string,
): Promise<void> {
  await database.query(
    `update approvals set status = 'late', verdict = $2, reply_id = $3, closed_at = coalesce(closed_at, now())
     where id = $1 and (reply_id = $3 or status in ('closed', 'late') or status = 'waiting' and expires_at <= now())`,
    [id, verdict, replyId],
  )
}

/** All approvals of a visit. */
export function approvalsOf(database: Querier, callId: string): Promise<Approval[]> {
  return database.query<Approval>(
    `select ${COLUMNS} from approvals a where a.call_id = $1 order by a.asked_at, a.id`,
    [callId],
  )
}

/** Deletes approvals older than `days`, at most `limit`; resolves with their number. */
export async function deleteOldApprovals(database: Querier, days: number, limit = 1000): Promise<number> {
  const rows = await database.query(
    `delete from approvals where id in (
       select id from approvals where asked_at < now() - $1 * interval '1 day' limit $2
     ) returning id`,
    [days, limit],
  )
  return rows.length
}
