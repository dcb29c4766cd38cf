import { randomUUID } from 'node:crypto'
import type { WrittenQuestion } from '../calls/index.ts'
import { canonicalNumber, findTenant } from '../directory/index.ts'
import { PRIORITY } from '../outbound/index.ts'
import type { Locale } from '../platform/audio.ts'
import { asPorteiroError, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { answerButtons } from './answer.ts'
import { type Enqueue, questionBody, type TenantMessenger } from './outgoing.ts'
import { clean, PHRASES } from './phrases.ts'
import { closeApprovals, noteQuestions, openApproval } from './sql/approvals.ts'

interface ApprovalsOptions {
  database: Database
  enqueue: Enqueue
  /** Cancels messages that were not sent yet. */
  cancel: (messageIds: readonly string[]) => Promise<void>
  /** The account by which a tenant writes; undefined where it has none. */
  messengerOf: (tenantId: string) => Promise<TenantMessenger | undefined>
  /** For tenants that have none of their own. */
  locale: Locale
  /** ms after which a question expires in any case: the longest call. */
  callMaxMs: number
  log: Logger
}

/** Asks residents in writing whether a visitor may come in. */
export function createApprovals(options: ApprovalsOptions) {
  const { database, enqueue, cancel, messengerOf, callMaxMs, log } = options
  const closing = new Set<Promise<void>>()

  const close = async (callId: string) => {
    try {
      const messages = await closeApprovals(database, callId)
      // a question that was not sent yet is not needed any more
      if (messages.length > 0) await cancel(messages)
    } catch (error) {
      // the questions expire by themselves, and the call rejects a late answer
      log.warn({ call_id: callId, code: asPorteiroError(error).code }, 'cannot close the questions')
    }
  }

  return {
    /** Whether the tenant has an account for questions. */
    hasAccount: async (tenantId: string): Promise<boolean> => (await messengerOf(tenantId)) !== undefined,

    /**
     * Writes to all residents of the unit who accept messages, at the same time. Resolves with their number when the questions
     * are enqueued. Asking again about the same call repeats the same question. Errors: WHATSAPP_UNAVAILABLE,
     * WHATSAPP_NOBODY, and those of the queue.
     */
    async ask({
      callId,
      tenantId,
      unit,
      residents,
      visitor,
      recorded,
      waitMs,
    }: WrittenQuestion): Promise<number> {
      const found = await messengerOf(tenantId)
      if (!found) throw fail('WHATSAPP_UNAVAILABLE', { tenantId })
      const { plays, ...messenger } = found
      const people = reachable(residents)
      if (people.length === 0) throw fail('WHATSAPP_NOBODY', { unit: unit.label })
      const tenant = await findTenant(database, tenantId)
      const phrases = PHRASES[tenant?.locale ?? options.locale]
      const expiresAt = new Date(Date.now() + waitMs)
      const text = phrases.question({
        unit: clean(unit.label) ?? unit.id,
        visitor: clean(visitor.name),
        purpose: visitor.intent === 'other' ? null : visitor.intent,
      })
      const { channel, instanceId } = messenger
      const common = { channel, instanceId, tenantId, callId, expiresAt, priority: PRIORITY.important }
      await database.transaction(async (transaction) => {
        for (const { id: residentId, name, phone } of people) {
          const approval = await openApproval(transaction, {
            ...messenger,
            id: randomUUID(),
            callId,
            tenantId,
            unitId: unit.id,
            unitLabel: unit.label,
            residentId,
            residentName: name,
            phone,
            expiresAt: new Date(Date.now() + callMaxMs),
          })
          // a question about another unit has another time
          const question = `${approval.id}:${approval.askedAt.getTime()}`
          const send = (key: string, body: Record<string, unknown>) =>
            enqueue({ ...common, to: phone, body, idempotencyKey: `${key}:${question}` }, { transaction })
          const asked = await send('ask', questionBody(channel, text, answerButtons(approval, phrases)))
          // the visitor's own voice
          const voice =
            recorded && plays ? [await send('voice', { type: 'audio', callId, recording: 'identity' })] : []
          await noteQuestions(
            transaction,
            approval.id,
            [asked, ...voice].map((message) => message.id),
          )
        }
      })
      return people.length
    },

    /** Closes the questions of a call that waits for no answer any more. Never rejects; `settled` waits for it. */
    close(callId: string): void {
      const work: Promise<void> = close(callId).finally(() => closing.delete(work))
      closing.add(work)
    },

    /** Resolves when every `close` so far is written. */
    async settled(): Promise<void> {
      await Promise.all(closing)
    },
  }
}

/** Each number once, without residents who accept no messages, or whose number is missing or held. */
function reachable(residents: WrittenQuestion['residents']): { id: string; name: string; phone: string }[] {
  const people = new Map<string, { id: string; name: string; phone: string }>()
  for (const { id, name, whatsapp, notify, held } of residents) {
    if (whatsapp === null || !notify || held) continue
    const phone = canonicalNumber(whatsapp)
    if (phone.startsWith('+') && !people.has(phone)) people.set(phone, { id, name, phone })
  }
  return [...people.values()]
}
