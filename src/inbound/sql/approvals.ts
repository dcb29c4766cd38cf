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
  /** The reply that decided, or came too late. */
  replyId: string | null
}

type NewApproval = Omit<Approval, 'messages' | 'status' | 'askedAt' | 'verdict' | 'replyId'>

const COLUMNS = `a.id, a.call_id as "callId", a.tenant_id as "tenantId", a.instance_id as "instanceId", a.channel,
  a.unit_id as "unitId", a.unit_label as "unitLabel", a.resident_id as "residentId", a.resident_name as "residentName",
  a.phone, a.messages, a.status, a.asked_at as "askedAt", a.expires_at as "expiresAt", a.verdict, a.reply_id as "replyId"`

/** Nobody waits for it once its time is over, even where the node that would have closed it has died. */
const WAITS = `a.status = 'waiting' and a.expires_at > now()`

/** Asks; the same person about the same visit again is the same row, open once more. Resolves with its id. */
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

/** Notes the messages that ask, so that a reply that quotes one of them is known. */
export async function noteQuestions(
  database: Querier,
  id: string,
  messages: readonly string[],
): Promise<void> {
  await database.query('update approvals set messages = $2 where id = $1', [id, messages])
}

/** Nobody waits for an answer to this visit any more. Resolves with the messages that asked. */
export async function closeApprovals(database: Querier, callId: string): Promise<string[]> {
  const rows = await database.query<{ messages: string[] }>(
    `update approvals set status = 'closed', closed_at = now()
     where call_id = $1 and status = 'waiting' returning messages`,
    [callId],
  )
  return rows.flatMap(({ messages }) => messages)
}

/** Of this tenant alone: an id in a button comes from outside. */
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

/** The question that the provider knows by this id. */
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

/** What somebody was asked since then, the latest first; what still waits for them is there however old it is. */
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
 * Takes this reply as the one that decides, if its question still waits and no other reply has decided the visit, and
 * closes the questions to the others. Give it a transaction. Resolves with how it stands: `taken` also when this very reply
 * was taken before.
 */
export async function takeReply(
  transaction: Querier,
  approval: Approval,
  verdict: ApprovalVerdict,
  replyId: string,
): Promise<'taken' | 'late'> {
  // all of the visit, in one order, so that of two residents who answer at once one waits for the other here
  const rows = await transaction.query<Approval & { waits: boolean }>(
    `select ${COLUMNS}, (${WAITS}) as waits from approvals a where a.call_id = $1 order by a.id for update`,
    [approval.callId],
  )
  const own = rows.find(({ id }) => id === approval.id)
  if (own?.replyId === replyId) return own.status === 'decided' ? 'taken' : 'late'
  const isDecided = rows.some(({ status }) => status === 'decided')
  if (!own?.waits || isDecided) {
    await loseReply(transaction, approval.id, verdict, replyId)
    return 'late'
  }
  await transaction.query(
    `update approvals set status = 'decided', verdict = $2, reply_id = $3, closed_at = now() where id = $1`,
    [approval.id, verdict, replyId],
  )
  await closeApprovals(transaction, approval.callId)
  return 'taken'
}

/** The visit was decided otherwise, or is over: this reply came too late. A question that still waits goes on waiting. */
export async function loseReply(
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

/** Everybody who was asked about a visit. */
export function approvalsOf(database: Querier, callId: string): Promise<Approval[]> {
  return database.query<Approval>(
    `select ${COLUMNS} from approvals a where a.call_id = $1 order by a.asked_at, a.id`,
    [callId],
  )
}

/** Deletes what was asked more than `days` ago, at most `limit` rows; resolves with how many it were. */
export async function deleteOldApprovals(database: Querier, days: number, limit = 1000): Promise<number> {
  const rows = await database.query(
    `delete from approvals where id in (
       select id from approvals where asked_at < now() - $1 * interval '1 day' limit $2
     ) returning id`,
    [days, limit],
  )
  return rows.length
}
