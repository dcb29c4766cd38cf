import { randomUUID } from 'node:crypto'
import type { WrittenQuestion } from '../calls/index.ts'
import { findTenant, phoneNumber } from '../directory/index.ts'
import type { Locale } from '../platform/audio.ts'
import { asPorteiroError, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { buttonId } from './answer.ts'
import { type Enqueue, PRIORITY, questionBody, type TenantCarrier } from './outgoing.ts'
import { clean, PHRASES } from './phrases.ts'
import { closeApprovals, noteQuestions, openApproval } from './sql/approvals.ts'

interface AskingOptions {
  database: Database
  enqueue: Enqueue
  /** Takes back messages that have not left yet. */
  cancel: (messageIds: readonly string[]) => Promise<void>
  /** By which account a tenant writes; undefined where it has none. */
  carrierOf: (tenantId: string) => Promise<TenantCarrier | undefined>
  /** For tenants that have none of their own. */
  locale: Locale
  /** ms after which a question of a call is over whatever became of the call: the longest call. */
  callMaxMs: number
  log: Logger
}

/** Asks residents in writing whether a visitor may come in. */
export function createAsking(options: AskingOptions) {
  const { database, enqueue, cancel, carrierOf, callMaxMs, log } = options
  const closing = new Set<Promise<void>>()

  const close = async (callId: string) => {
    try {
      const messages = await closeApprovals(database, callId)
      // who has not read the question yet need not read it any more
      if (messages.length > 0) await cancel(messages)
    } catch (error) {
      // the questions expire by themselves, and a late answer finds the call decided or gone
      log.warn({ call_id: callId, code: asPorteiroError(error).code }, 'questions could not be closed')
    }
  }

  return {
    /** Whether the tenant has an account to ask by. */
    hasAccount: async (tenantId: string): Promise<boolean> => (await carrierOf(tenantId)) !== undefined,

    /**
     * Writes to everybody of the unit who may be written to, all at once; resolves with how many that are when the questions
     * are enqueued. Asking again about the same call is the same question. Errors: WHATSAPP_UNAVAILABLE, WHATSAPP_NOBODY, and
     * those of the queue.
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
      const found = await carrierOf(tenantId)
      if (!found) throw fail('WHATSAPP_UNAVAILABLE', { tenantId })
      const { plays, ...carrier } = found
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
      const common = { ...carrier, tenantId, callId, expiresAt, priority: PRIORITY.question }
      await database.transaction(async (transaction) => {
        for (const { id: residentId, name, phone } of people) {
          const id = await openApproval(transaction, {
            ...carrier,
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
          const send = (key: string, body: Record<string, unknown>) =>
            enqueue({ ...common, to: phone, body, idempotencyKey: `${key}:${id}` }, { transaction })
          const answers = [
            { id: buttonId(id, 'yes'), title: phrases.yes },
            { id: buttonId(id, 'no'), title: phrases.no },
          ]
          const asked = await send('ask', questionBody(carrier.channel, text, answers))
          // the visitor's own voice
          const voice =
            recorded && plays ? [await send('voice', { type: 'audio', callId, recording: 'identity' })] : []
          await noteQuestions(
            transaction,
            id,
            [asked, ...voice].map((message) => message.id),
          )
        }
      })
      return people.length
    },

    /** Nobody waits for an answer about this call any more. Never rejects; `settled` waits for it. */
    close(callId: string): void {
      const work: Promise<void> = close(callId).finally(() => closing.delete(work))
      closing.add(work)
    },

    /** Resolves when everything that was closed is written. */
    async settled(): Promise<void> {
      await Promise.all(closing)
    },
  }
}

/** Each number once; who shall never be written to, and who has no number, is left out. */
function reachable(residents: WrittenQuestion['residents']): { id: string; name: string; phone: string }[] {
  const people = new Map<string, { id: string; name: string; phone: string }>()
  for (const { id, name, whatsapp, notify } of residents) {
    const phone = whatsapp === null || !notify ? undefined : phoneNumber(whatsapp)
    if (phone?.startsWith('+') && !people.has(phone)) people.set(phone, { id, name, phone })
  }
  return [...people.values()]
}
