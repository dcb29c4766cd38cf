import type { Querier } from '../../platform/postgres/index.ts'
import type { AccountRef, Network } from '../intake.ts'

export type ApprovalVerdict = 'authorized' | 'denied'

/** One resident who was asked about one visit. */
export interface Approval extends AccountRef {
  id: string
  callId: string
  channel: 'whatsapp' | 'twilio'
  /** What carried the question; null if a process of an older version asked. */
  network: Network | null
  unitId: string
  unitLabel: string
  residentId: string
  residentName: string
  /** E.164. */
  phone: string
  /** Ids of the messages that asked. */
  messages: string[]
  /** Signs the buttons of this question. */
  buttonKey: Buffer
  status: 'waiting' | 'decided' | 'late' | 'closed'
  /** An answer may still decide. */
  waits: boolean
  askedAt: Date
  expiresAt: Date
  verdict: ApprovalVerdict | null
  /** The reply that decided or was late. */
  replyId: string | null
}

type NewApproval = Omit<
  Approval,
  'messages' | 'buttonKey' | 'status' | 'waits' | 'askedAt' | 'verdict' | 'replyId'
>

/** An approval waits until it expires, even if the node that would have closed it has died. */
const WAITS = `a.status = 'waiting' and a.expires_at > now()`

const COLUMNS = `a.id, a.call_id as "callId", a.tenant_id as "tenantId", a.instance_id as "instanceId", a.channel, a.network,
  a.unit_id as "unitId", a.unit_label as "unitLabel", a.resident_id as "residentId", a.resident_name as "residentName",
  a.phone, a.messages, a.button_key as "buttonKey", a.status, (${WAITS}) as waits, a.asked_at as "askedAt", a.expires_at as "expiresAt", a.verdict, a.reply_id as "replyId"`

/** The visitor has named another unit, and nobody has decided. */
const CORRECTED = `(a.unit_id <> excluded.unit_id and a.status <> 'decided')`

/**
 * Opens an approval. A second one for the same person and visit reopens the same row; about another unit, which the visitor has
 * corrected, it is a new question: answers to the first one do not count.
 */
export async function openApproval(database: Querier, approval: NewApproval): Promise<Approval> {
  const [row] = await database.query<Approval>(
    `insert into approvals as a (id, call_id, tenant_id, instance_id, channel, network, unit_id, unit_label, resident_id,
       resident_name, phone, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     on conflict (call_id, phone) do update set expires_at = excluded.expires_at, closed_at = null,
       instance_id = excluded.instance_id, channel = excluded.channel, network = excluded.network,
       unit_id = excluded.unit_id, unit_label = excluded.unit_label,
       resident_id = excluded.resident_id, resident_name = excluded.resident_name,
       status = case when a.status = 'closed' or ${CORRECTED} then 'waiting' else a.status end,
       verdict = case when ${CORRECTED} then null else a.verdict end,
       reply_id = case when ${CORRECTED} then null else a.reply_id end,
       messages = case when ${CORRECTED} then '{}' else a.messages end,
       button_key = case when ${CORRECTED} then excluded.button_key else a.button_key end,
       asked_at = case when ${CORRECTED} then now() else a.asked_at end
     returning ${COLUMNS}`,
    [
      approval.id,
      approval.callId,
      approval.tenantId,
      approval.instanceId,
      approval.channel,
      approval.network,
      approval.unitId,
      approval.unitLabel,
      approval.residentId,
      approval.residentName,
      approval.phone,
      approval.expiresAt,
    ],
  )
  return row!
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
  { tenantId, instanceId }: AccountRef,
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
): Promise<Approval[]> {
  return database.query<Approval>(
    `select ${COLUMNS} from approvals a
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
  const rows = await transaction.query<Approval>(
    `select ${COLUMNS} from approvals a where a.call_id = $1 order by a.id for update`,
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
