import { findCall } from '../calls/index.ts'
import { findTenant } from '../directory/index.ts'
import type { Locale } from '../platform/audio.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { readReply, type UnderstandAnswer, type Understood, verdictOf } from './answer.ts'
import { type EnqueueJobs, PROCESS_AI_RESPONSE } from './jobs.ts'
import { type Carrier, type Enqueue, PRIORITY, textBody } from './outgoing.ts'
import { PHRASES, type Phrases } from './phrases.ts'
import {
  type Approval,
  type ApprovalVerdict,
  approvalsOf,
  findApproval,
  findByQuestion,
  listByPhone,
  loseReply,
  takeReply,
} from './sql/approvals.ts'
import { countAnswered, findInbound, type InboundRow, markProcessed, phoneOfUser } from './sql/inbound.ts'

/** What became of a message of a person. */
type InboundOutcome =
  | 'decided'
  | 'late'
  | 'ambiguous'
  | 'unclear'
  | 'foreign'
  | 'conversation'
  | 'ignored'
  | 'silenced'

/**
 * Gives a decision to the call, on whatever node it lives. `late`: it was decided or has ended; `unknown`: no node knows it.
 * Rejects when the node that has it does not answer; the reply is then tried again.
 */
export type Decide = (
  callId: string,
  decision: { verdict: ApprovalVerdict; by: string; via: 'whatsapp' },
) => Promise<'accepted' | 'late' | 'unknown'>

export interface RepliesOptions {
  database: Database
  enqueue: Enqueue
  understand: UnderstandAnswer
  decide: Decide
  /** For what no visit waits for: the language model or a polite sentence answers it later. */
  enqueueJobs: EnqueueJobs
  /** For tenants that have none of their own. */
  locale: Locale
  log: Logger
}

/** ms for which somebody who was asked is told that they are late, rather than that nobody waits. */
const RECENT_MS = 12 * 60 * 60 * 1000
/** ms by which the clocks of a provider and of ours may differ. */
const SLACK_MS = 10_000
/** Answers of ours within so many ms, after which somebody gets none for a while: two machines must not write to each other for ever. */
const CALM = { answers: 20, ms: 10 * 60 * 1000 }

type Found = { approval: Approval } | { ambiguous: Approval[] } | { over: Approval } | { foreign: true }

/**
 * Works on one message of a person: an answer to a question about a visit decides that visit; everything else is answered
 * politely. Running twice for the same message changes nothing.
 */
export function createReplies(options: RepliesOptions) {
  const { database, enqueue, understand, decide, enqueueJobs, log } = options

  const localeOf = async (tenantId: string) =>
    (await findTenant(database, tenantId))?.locale ?? options.locale

  const write = (
    message: InboundRow,
    to: string,
    text: string,
    key: string,
    callId?: string,
    carrier = carrierOf(message),
  ) =>
    enqueue({
      ...carrier,
      tenantId: message.tenantId,
      to,
      body: textBody(text),
      priority: PRIORITY.reply,
      idempotencyKey: `${key}:${message.id}`,
      ...(callId !== undefined && { callId }),
    })

  /** By the message that it quotes, then the button, then the sender; never the question of somebody else. */
  const find = async (
    message: InboundRow,
    approvalId: string | null,
    phone: string | null,
  ): Promise<Found> => {
    const named =
      (message.quotedId !== null ? await findByQuestion(database, message, message.quotedId) : undefined) ??
      (approvalId !== null ? await findApproval(database, message.tenantId, approvalId) : undefined)
    if (named) {
      // whoever got a question forwarded may quote it, but was not asked
      if (phone !== null && phone !== named.phone) return { foreign: true }
      const waits = named.status === 'waiting' && named.expiresAt.getTime() > Date.now()
      return waits || named.replyId === message.id ? { approval: named } : { over: named }
    }
    // a thumb below another message is about that one
    if (phone === null || message.kind === 'reaction') return { foreign: true }
    const asked = await listByPhone(database, message.tenantId, phone, new Date(Date.now() - RECENT_MS))
    // a job that runs again finds what it has taken
    const taken = asked.find(({ replyId }) => replyId === message.id)
    if (taken) return { approval: taken }
    const waiting = asked.filter(({ waits }) => waits)
    // a message that was on its way for long meant an earlier visit
    const meant = waiting.filter(({ askedAt }) => !isBefore(message.sentAt, askedAt))
    if (meant.length === 1) return { approval: meant[0]! }
    if (meant.length > 1) return { ambiguous: meant }
    const last = asked.find(({ waits }) => !waits) ?? asked[0]
    return last ? { over: last } : { foreign: true }
  }

  const decideBy = async (
    message: InboundRow,
    approval: Approval,
    verdict: ApprovalVerdict,
    phrases: Phrases,
  ): Promise<InboundOutcome> => {
    const { callId } = approval
    const facts = { call_id: callId, tenant: approval.tenantId, resident: approval.residentId, verdict }
    const taken = await database.transaction((transaction) =>
      takeReply(transaction, approval, verdict, message.id),
    )
    const result =
      taken === 'taken' ? await decide(callId, { verdict, by: 'resident', via: 'whatsapp' }) : 'late'
    // a job that runs again, because its worker was killed, finds the call decided by itself
    const accepted =
      result === 'accepted' || (taken === 'taken' && result === 'late' && (await wasOurs(callId, verdict)))
    if (!accepted) {
      await loseReply(database, approval.id, verdict, message.id)
      log.info({ ...facts, result }, 'an answer of a resident came too late')
      await write(message, approval.phone, phrases.late, 'late', callId)
      return 'late'
    }
    log.info(facts, 'a resident decided in writing')
    await write(message, approval.phone, phrases.accepted[verdict], 'accepted', callId)
    for (const other of await approvalsOf(database, callId)) {
      // who was late has been told
      if (other.id === approval.id || other.status === 'late') continue
      // as they were asked, whatever the answer came by
      const { channel, instanceId } = other
      const text = phrases.decidedByOther[verdict]
      await write(message, other.phone, text, `other:${other.id}`, callId, { channel, instanceId })
    }
    return 'decided'
  }

  const wasOurs = async (callId: string, verdict: ApprovalVerdict) => {
    const decision = (await findCall(database, callId))?.decision as
      | { verdict?: string; via?: string }
      | null
      | undefined
    return decision?.via === 'whatsapp' && decision.verdict === verdict
  }

  const explain = async (message: InboundRow, approval: Approval, answer: Understood, phrases: Phrases) => {
    const text =
      answer === 'talk' ? phrases.talk : message.kind === 'media' ? phrases.textOnly : phrases.explain
    await write(message, approval.phone, text, 'explain', approval.callId)
    return 'unclear' as const
  }

  const work = async (message: InboundRow): Promise<InboundOutcome> => {
    if (message.kind === 'other') return 'ignored'
    const phone =
      message.phone ?? (message.userId !== null ? await phoneOfUser(database, message, message.userId) : null)
    const locale = await localeOf(message.tenantId)
    const phrases = PHRASES[locale]
    const { answer, approvalId } = readReply(message, locale, understand)
    const verdict = verdictOf(answer)
    const found = await find(message, approvalId, phone)
    if ('approval' in found && verdict) return decideBy(message, found.approval, verdict, phrases)

    const to = 'approval' in found ? found.approval.phone : 'over' in found ? found.over.phone : phone
    // an id of a person without a number cannot be written to, and was never asked
    if (to === null || message.kind === 'reaction') return 'ignored'
    if (await isTooMuch(message, to)) return 'silenced'
    if ('approval' in found) return explain(message, found.approval, answer, phrases)
    if ('ambiguous' in found) {
      const units = [...new Set(found.ambiguous.map(({ unitLabel }) => unitLabel))]
      await write(message, to, phrases.ambiguous(units), 'ambiguous')
      return 'ambiguous'
    }
    if (verdict && 'over' in found) {
      await loseReply(database, found.over.id, verdict, message.id)
      await write(message, to, phrases.late, 'late', found.over.callId)
      return 'late'
    }
    if (verdict) {
      await write(message, to, phrases.foreign, 'foreign')
      return 'foreign'
    }
    await database.transaction(async (transaction) => {
      await enqueueJobs(transaction, [
        { type: PROCESS_AI_RESPONSE, data: { id: message.id, phone: to, tenantId: message.tenantId } },
      ])
      await markProcessed(transaction, message.id, 'conversation')
    })
    return 'conversation'
  }

  const isTooMuch = async ({ tenantId }: InboundRow, phone: string) =>
    (await countAnswered(database, tenantId, phone, new Date(Date.now() - CALM.ms))) >= CALM.answers

  return {
    /** Resolves with what became of it; undefined where it was done before. Errors: those of the queue and of `decide`. */
    async handle(id: string): Promise<InboundOutcome | undefined> {
      const message = await findInbound(database, id)
      if (!message || message.processedAt !== null) return undefined
      const outcome = await work(message)
      await markProcessed(database, id, outcome)
      log.debug({ tenant: message.tenantId, inbound_id: id, outcome }, 'a message was worked on')
      return outcome
    },
  }
}

export function carrierOf({ channel, instanceId }: Pick<InboundRow, 'channel' | 'instanceId'>): Carrier {
  return { channel: channel === 'twilio' ? 'twilio' : 'whatsapp', instanceId }
}

function isBefore(sentAt: Date | null, askedAt: Date): boolean {
  return sentAt !== null && sentAt.getTime() < askedAt.getTime() - SLACK_MS
}
