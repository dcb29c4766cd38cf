import type { Decision } from '../../machines/index.ts'
import type { EventRow } from '../calls/index.ts'
import { canonicalNumber, findUnreached } from '../directory/index.ts'
import type { Locale } from '../platform/audio.ts'
import { asPorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { type Database, isDatabaseAway, type Transaction } from '../platform/postgres/index.ts'
import type { Accounts } from './accounts.ts'
import { startCallEventSweep } from './call-event-sweep.ts'
import type { Trouble, TroubledEndpoint } from './channels/webhook.ts'
import type { EventType } from './forms.ts'
import { type NewMessage, OWN_ENDPOINT, PRIORITY } from './message.ts'
import type { WebhookContent, WhatsAppContent } from './new-message.ts'
import type { Outbound } from './outbound.ts'
import { createOutbox } from './outbox.ts'
import { endpointsFor } from './sql/endpoints.ts'
import { findByKeys } from './sql/messages.ts'

/** ms after which a note about a visit is useless. */
const NOTE_MS = 60 * 60 * 1000
/** Outcomes of visits that reached nobody, unless a resident answered and left it undecided. */
const UNREACHED = ['unanswered', 'unreachable']
const WAS_ANSWERED = ['undecided', 'resident-left']

/** Kinds of events that lead to messages. */
const KINDS = ['started', 'decided', 'ended']

/** Texts of our own to residents. They never name a visitor, because a chat keeps them for ever. */
const TEXTS: Record<Locale, { unreached(unit: string): string }> = {
  'pt-BR': {
    unreached: (unit) =>
      `Portaria: uma visita chamou a unidade ${unit} agora há pouco e ninguém atendeu. A entrada não foi liberada.`,
  },
  en: {
    unreached: (unit) =>
      `Gatehouse: a visitor asked for unit ${unit} a moment ago and nobody answered. They were not let in.`,
  },
}

export interface CallEventMessagesOptions {
  journal: { subscribe(listener: (event: EventRow) => void): () => void }
  outbound: Pick<Outbound, 'enqueue'>
  database: Database
  accounts: Accounts
  /** WEBHOOK_URL is set; it gets every event. */
  ownEndpoint: boolean
  /** Whether this process also derives the messages again that a killed process owes. */
  sweeps: boolean
  /** ms between two sweeps; shorter in tests. */
  everyMs?: number
  /** For tenants without their own. */
  locale: Locale
  log: Logger
  now?: () => number
}

interface Way {
  transaction?: Transaction
  /** It was most likely enqueued before, by the process of the call. */
  isAgain?: boolean
}

/** One message, or several, that a call event leads to. `facts` are for the log. */
interface Owed {
  facts: object
  /** Enqueues it, as a part of the transaction if there is one. */
  run: (way?: Way) => Promise<void>
}

/** Where a call event happened, as the journal has it. */
export interface CallPlace {
  tenant: string
  /** Id of the extension; null for the main port pair. */
  gate: string | null
  unit: { id: string; number: string } | null
  /** Of a call that began anew under a used UUID; absent for the first. */
  beginning?: string | undefined
}

/** A gate command that opened nothing. */
type FailedCommand = {
  id: string
  callId: string | null
  tenantId: string
  gateId: string
  unitNumber: string | null
  by: string
  via: string
  decidedAt: Date
}

export type CallEventMessages = ReturnType<typeof createCallEventMessages>

/** A ringing that an outside dialler must do (CLICKTOCALL=manual). */
export interface WantedResident {
  callId: string
  tenantId: string
  attemptId: string
  /** Null where the operator is called for a visitor whose unit nobody knows. */
  unit: string | null
  /** Number to call. */
  number: string
  ringMs: number
}

/**
 * Turns call events into messages: `call.started`, `call.decided`, `call.ended`, `gate.failed` for the tenant's endpoints, and a
 * note to residents who were not reached. It follows the journal and never delays it; a sweep finds what a killed process left
 * undone. No message has what was said in the call.
 */
export function createCallEventMessages(options: CallEventMessagesOptions) {
  const { outbound, database, accounts, ownEndpoint, sweeps, everyMs, locale, log, now = Date.now } = options
  const outbox = createOutbox({ log })

  const webhook = (
    tenantId: string,
    content: WebhookContent & { type: EventType },
    extra: { key: string } & Partial<Pick<NewMessage, 'callId' | 'priority' | 'expiresAt'>>,
    except?: string,
  ): Owed => {
    const { key, ...rest } = extra
    const facts = { tenant: tenantId, event: content.type, ...(rest.callId && { call_id: rest.callId }) }
    const run = async ({ transaction, isAgain }: Way = {}) => {
      if (rest.expiresAt && rest.expiresAt.getTime() <= now()) return
      const endpoints = await endpointsFor(transaction ?? database, tenantId, content.type)
      const all = [...endpoints, ...(ownEndpoint ? [OWN_ENDPOINT] : [])].filter((id) => id !== except)
      const keyed = all.map((to) => ({ tenantId, to, idempotencyKey: `${key}:${to}` }))
      const before = isAgain ? await findByKeys(database, keyed) : []
      const known = new Set(before.map(({ idempotencyKey }) => idempotencyKey))
      await Promise.all(
        keyed
          .filter(({ idempotencyKey }) => !known.has(idempotencyKey))
          .map((one) =>
            outbound.enqueue(
              { ...one, channel: 'webhook', body: content, ...rest },
              { ...(transaction && { transaction }) },
            ),
          ),
      )
    }
    return { facts, run }
  }

  const publish = (...given: Parameters<typeof webhook>): void => {
    const { facts, run } = webhook(...given)
    outbox.add(facts, () => run())
  }

  const callEvent = (
    type: EventType,
    { callId, at }: Pick<EventRow, 'callId' | 'at'>,
    data: CallPlace & Record<string, unknown>,
  ): Owed => {
    const { tenant, unit, beginning, ...facts } = data
    const content = {
      type,
      timestamp: at.toISOString(),
      data: { call_id: callId, tenant, unit: unit?.number ?? null, ...facts },
    }
    return webhook(tenant, content, { key: [type, callId, beginning].filter(Boolean).join(':'), callId })
  }

  const unreached = (event: EventRow, { tenant, unit }: CallPlace): Owed[] => {
    const { callId } = event
    if (!unit) return []
    const expiresAt = new Date(event.at.getTime() + NOTE_MS)
    const run = async () => {
      if (expiresAt.getTime() <= now()) return
      const found = await findUnreached(database, tenant, unit.id)
      if (!found || found.residents.length === 0) return
      const account = await accounts.main(tenant, 'whatsapp')
      if (!account) return
      const text = TEXTS[found.locale ?? locale].unreached(found.unitLabel)
      const body: WhatsAppContent = { type: 'text', text }
      for (const { id, whatsapp } of found.residents) {
        await outbound.enqueue({
          tenantId: tenant,
          instanceId: account.id,
          channel: 'whatsapp',
          to: canonicalNumber(whatsapp),
          body,
          priority: PRIORITY.important,
          expiresAt,
          idempotencyKey: `unreached:${callId}:${id}`,
          callId,
        })
      }
    }
    return [{ facts: { call_id: callId, tenant }, run }]
  }

  /** The messages of a call event. Their keys are the event's: enqueued again, they are the same messages. */
  const owedBy = (event: EventRow): Owed[] => {
    const data = event.data as CallPlace & Record<string, unknown>
    const { kind } = event
    if (kind === 'started') {
      const { tenant, gate, beginning } = data
      return [callEvent('call.started', event, { tenant, gate, unit: null, beginning })]
    }
    if (kind === 'decided') {
      const { tenant, gate, unit, verdict, by, via, beginning } = data
      return [callEvent('call.decided', event, { tenant, gate, unit, verdict, by, via, beginning })]
    }
    if (kind !== 'ended') return []
    const { tenant, gate, unit, outcome, reason, durations, beginning } = data
    const ended = callEvent('call.ended', event, {
      tenant,
      gate,
      unit,
      outcome,
      reason,
      durations,
      beginning,
    })
    const isUnreached = UNREACHED.includes(String(outcome)) && !WAS_ANSWERED.includes(String(reason))
    return isUnreached ? [ended, ...unreached(event, data)] : [ended]
  }

  const unsubscribe = options.journal.subscribe((event) => {
    // nobody hears of a decision before it is durable: `writeDecided` is a part of its transaction
    if (event.kind === 'decided') return
    for (const { facts, run } of owedBy(event)) outbox.add(facts, () => run())
  })

  const republish = async (event: EventRow): Promise<void> => {
    for (const { facts, run } of owedBy(event)) {
      await run({ isAgain: true }).catch((error) => {
        if (isDatabaseAway(error)) throw error
        const { code } = asPorteiroError(error)
        log.error({ ...facts, code, reason: reasonOf(error) }, 'cannot send an event')
      })
    }
  }
  const sweep = sweeps
    ? startCallEventSweep({ database, kinds: KINDS, publish: republish, log, ...(everyMs && { everyMs }) })
    : undefined

  return {
    /** Writes `call.decided` as a part of the decision's transaction; the journal's event then adds nothing. */
    async writeDecided(
      transaction: Transaction,
      callId: string,
      { verdict, by, via, at }: Decision,
      { tenant, gate, unit, beginning }: CallPlace,
    ): Promise<void> {
      const event = { callId, at: new Date(at) }
      const data = { tenant, gate, unit, verdict, by, via, beginning }
      await callEvent('call.decided', event, data).run({ transaction })
    },
    /** Writes `gate.failed`: a command has opened nothing. `callId` null: it was opened by hand. */
    async writeGateFailed(
      transaction: Transaction,
      { id, callId, tenantId: tenant, gateId: gate, unitNumber: unit, by, via, decidedAt }: FailedCommand,
    ): Promise<void> {
      const content = {
        type: 'gate.failed' as const,
        timestamp: new Date(now()).toISOString(),
        data: {
          command: id,
          call_id: callId,
          tenant,
          gate,
          unit,
          by,
          via,
          decided_at: decidedAt.toISOString(),
        },
      }
      const extra = { key: `gate.failed:${id}`, priority: PRIORITY.critical }
      await webhook(tenant, content, { ...extra, ...(callId !== null && { callId }) }).run({ transaction })
    },
    /**
     * Publishes `resident.wanted`: an outside dialler must ring, with the call's id as the leg's UUID. It expires with
     * the ring time.
     */
    residentWanted({ callId, tenantId, attemptId, unit, number, ringMs }: WantedResident): void {
      const at = now()
      const content = {
        type: 'resident.wanted' as const,
        timestamp: new Date(at).toISOString(),
        data: { call_id: callId, tenant: tenantId, unit, attempt: attemptId, number, ring_ms: ringMs },
      }
      const expiresAt = new Date(at + ringMs)
      publish(tenantId, content, {
        key: `resident.wanted:${attemptId}`,
        callId,
        priority: PRIORITY.critical,
        expiresAt,
      })
    },
    /** Publishes to the tenant's other endpoints that one was paused or disabled. */
    endpointTrouble(type: Trouble, { tenantId, id, ...facts }: TroubledEndpoint): void {
      const at = new Date(now()).toISOString()
      const content = { type, timestamp: at, data: { tenant: tenantId, endpoint: id, ...facts } }
      publish(tenantId, content, { key: `${type}:${id}:${at}` }, id)
    },
    /** Resolves when the messages of all events so far are in the queue. */
    settled: (): Promise<void> => outbox.settled(),
    /** Events that wait for the database, and events lost because it was away too long. */
    counts: outbox.counts,
    async close(): Promise<void> {
      unsubscribe()
      await sweep?.close()
      await outbox.close()
    },
  }
}
