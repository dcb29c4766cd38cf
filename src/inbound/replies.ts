import { findCall, type Routing } from '../calls/index.ts'
import { findTenant, holdsNumber } from '../directory/index.ts'
import { PRIORITY, type ReceivedMessage } from '../outbound/index.ts'
import type { Locale } from '../platform/audio.ts'
import { asPorteiroError } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { JobHandler } from '../queue/index.ts'
import {
  answerButtons,
  isSigned,
  readReply,
  type Tap,
  type UnderstandAnswer,
  type Understood,
  verdictIn,
} from './answer.ts'
import { type Candidates, findQuestion } from './belonging.ts'
import {
  countAnswered,
  type EnqueueJobs,
  fieldOf,
  findInbound,
  type InboundRow,
  markProcessed,
  PROCESS_AI_RESPONSE,
  phoneOfUser,
} from './intake.ts'
import { type Enqueue, messengerOf, questionBody, textBody } from './outgoing.ts'
import { clean, PHRASES, type Phrases } from './phrases.ts'
import {
  type Approval,
  type ApprovalVerdict,
  approvalsOf,
  findApproval,
  findByQuestion,
  listByPhone,
  markReplyLate,
  noteQuestions,
  takeReply,
} from './sql/approvals.ts'

/** How a person's message was handled. */
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
 * Sends a decision to the call, on any node. `late`: the call was decided or has ended; `unknown`: no node has it. Rejects
 * when the call's node does not answer; the reply's job is then retried.
 */
export type Decide = (
  callId: string,
  decision: { verdict: ApprovalVerdict; by: string; via: 'whatsapp' },
) => Promise<'accepted' | 'late' | 'unknown'>

/** Decides over the routing of calls. */
export function createDecide(routing: Pick<Routing, 'command'>): Decide {
  return async (callId, decision) => {
    try {
      await routing.command(callId, { type: 'decide', ...decision })
      return 'accepted'
    } catch (error) {
      const { code } = asPorteiroError(error)
      if (code === 'CALL_DECIDED' || code === 'CALL_ENDED') return 'late'
      if (code === 'CALL_UNKNOWN') return 'unknown'
      throw error
    }
  }
}

interface RepliesOptions {
  database: Database
  enqueue: Enqueue
  understand: UnderstandAnswer
  decide: Decide
  /** For messages that are not about a visit: the language model or a polite sentence answers them later. */
  enqueueJobs: EnqueueJobs
  /** Publishes a person's message to receivers that want it; the same one twice is one event. */
  publishReceived: (message: ReceivedMessage) => Promise<void>
  /** For tenants that have none of their own. */
  locale: Locale
  log: Logger
}

/** ms after a question in which an answer gets "too late" rather than "no visit is waiting". */
const RECENT_MS = 12 * 60 * 60 * 1000
/** Maximum number of answers to one person within `ms`: two machines must not write to each other for ever. */
const ANSWER_LIMIT = { answers: 20, ms: 10 * 60 * 1000 }

/**
 * The handler of `inbound_message`, one message of a person: an answer to a question about a visit decides that visit;
 * everything else gets a polite answer. Handling the same message twice changes nothing. Errors: those of the queue and of
 * `decide`.
 */
export function createReplies(options: RepliesOptions): JobHandler {
  const { database, enqueue, understand, decide, enqueueJobs, log } = options

  const localeOf = async (tenantId: string) =>
    (await findTenant(database, tenantId))?.locale ?? options.locale

  const write = (
    message: InboundRow,
    to: string,
    text: string,
    key: string,
    callId?: string,
    messenger = messengerOf(message),
  ) =>
    enqueue({
      ...messenger,
      tenantId: message.tenantId,
      to,
      body: textBody(text),
      priority: PRIORITY.reply,
      idempotencyKey: `${key}:${message.id}`,
      ...(callId !== undefined && { callId }),
    })

  /** The question whose own button was tapped. */
  const tappedOf = async (tenantId: string, tap: Tap): Promise<Approval | undefined> => {
    const named = await findApproval(database, tenantId, tap.approvalId)
    return named && isSigned(tap, named) ? named : undefined
  }

  /** The questions that the reply may belong to. */
  const look = async (
    message: InboundRow,
    phone: string | null,
    { tap }: ReturnType<typeof readReply>,
  ): Promise<Candidates> => {
    const { tenantId, quotedId } = message
    const tapped = tap === null ? undefined : await tappedOf(tenantId, tap)
    const since = new Date(Date.now() - RECENT_MS)
    return {
      quoted: quotedId === null ? undefined : await findByQuestion(database, message, quotedId),
      tapped,
      isForged: tap !== null && tapped === undefined,
      asked: phone === null ? [] : await listByPhone(database, tenantId, phone, since),
    }
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
    // after its worker was killed, a job runs again and finds the call decided by this very reply
    const accepted =
      result === 'accepted' || (taken === 'taken' && result === 'late' && (await wasOurs(callId, verdict)))
    if (!accepted) {
      await markReplyLate(database, approval.id, verdict, message.id)
      log.info({ ...facts, result }, 'a resident answered too late')
      await write(message, approval.phone, phrases.late, 'late', callId)
      return 'late'
    }
    log.info(facts, 'a resident decided in writing')
    await write(message, approval.phone, phrases.accepted[verdict], 'accepted', callId)
    for (const other of await approvalsOf(database, callId)) {
      // residents who answered late have their message already
      if (other.id === approval.id || other.status === 'late') continue
      // by the account that asked, not the one that got the answer
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

  /** Asks once more, by the account that asked. An answer may quote this question as well. */
  const askAgain = async (message: InboundRow, approval: Approval, text: string, phrases: Phrases) => {
    const { channel, instanceId } = approval
    await database.transaction(async (transaction) => {
      const { id } = await enqueue(
        {
          channel,
          instanceId,
          tenantId: message.tenantId,
          to: approval.phone,
          body: questionBody(channel, text, answerButtons(approval, phrases)),
          priority: PRIORITY.important,
          expiresAt: approval.expiresAt,
          idempotencyKey: `confirm:${message.id}`,
          callId: approval.callId,
        },
        { transaction },
      )
      await noteQuestions(transaction, approval.id, [id])
    })
    return 'unclear' as const
  }

  const explain = async (message: InboundRow, approval: Approval, answer: Understood, phrases: Phrases) => {
    const text =
      answer === 'talk' ? phrases.talk : message.kind === 'media' ? phrases.textOnly : phrases.explain
    const { id } = await write(message, approval.phone, text, 'explain', approval.callId)
    await noteQuestions(database, approval.id, [id])
    return 'unclear' as const
  }

  const work = async (message: InboundRow): Promise<InboundOutcome> => {
    if (message.kind === 'other') return 'ignored'
    const phone =
      message.phone ?? (message.userId !== null ? await phoneOfUser(database, message, message.userId) : null)
    const locale = await localeOf(message.tenantId)
    const phrases = PHRASES[locale]
    const read = readReply(message, locale, understand)
    const { answer } = read
    const verdict = verdictIn(answer)
    const candidates = await look(message, phone, read)
    const found = findQuestion(message, phone, candidates)
    const asked =
      'approval' in found
        ? found.approval
        : 'doubtful' in found
          ? found.doubtful
          : 'over' in found
            ? found.over
            : 'ambiguous' in found
              ? found.ambiguous[0]
              : undefined
    // asked by an older version, or before somebody changed the number: it may be a stranger's
    if (asked && (await holdsNumber(database, message.tenantId, asked.phone))) {
      log.warn(
        { call_id: asked.callId, tenant: asked.tenantId, resident: asked.residentId },
        'a number that is held answered a question; nothing was decided',
      )
      return 'ignored'
    }
    if ('approval' in found && verdict) return decideBy(message, found.approval, verdict, phrases)

    // a person without a number cannot get messages, and was never asked
    if (phone === null || message.kind === 'reaction') return 'ignored'
    if (await isTooMuch(message, phone)) return 'silenced'
    if ('approval' in found && answer === 'likely-yes')
      return askAgain(message, found.approval, phrases.confirm, phrases)
    if ('approval' in found) return explain(message, found.approval, answer, phrases)
    if ('doubtful' in found && (candidates.isForged || verdict || answer === 'likely-yes')) {
      const { doubtful } = found
      return askAgain(
        message,
        doubtful,
        phrases.repeat(clean(doubtful.unitLabel) ?? doubtful.unitId),
        phrases,
      )
    }
    if ('ambiguous' in found) {
      const units = [...new Set(found.ambiguous.map(({ unitLabel, unitId }) => clean(unitLabel) ?? unitId))]
      await write(message, phone, phrases.ambiguous(units), 'ambiguous')
      return 'ambiguous'
    }
    if (verdict && 'over' in found) {
      await markReplyLate(database, found.over.id, verdict, message.id)
      await write(message, phone, phrases.late, 'late', found.over.callId)
      return 'late'
    }
    if (verdict) {
      await write(message, phone, phrases.foreign, 'foreign')
      return 'foreign'
    }
    await database.transaction(async (transaction) => {
      await enqueueJobs(transaction, [
        { type: PROCESS_AI_RESPONSE, data: { id: message.id, phone, tenantId: message.tenantId } },
      ])
      await markProcessed(transaction, message.id, 'conversation')
    })
    return 'conversation'
  }

  const isTooMuch = async ({ tenantId }: InboundRow, phone: string) =>
    (await countAnswered(database, tenantId, phone, new Date(Date.now() - ANSWER_LIMIT.ms))) >=
    ANSWER_LIMIT.answers

  return async (data) => {
    const id = fieldOf(data, 'id')
    const message = await findInbound(database, id)
    if (message && message.processedAt === null) {
      const outcome = await work(message)
      await markProcessed(database, id, outcome)
      log.debug({ tenant: message.tenantId, inbound_id: id, outcome }, 'handled a message')
    }
    // last: a visitor may be waiting for the answer
    const handled = await findInbound(database, id)
    if (handled) await options.publishReceived(handled)
  }
}
