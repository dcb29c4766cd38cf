import type { EventRow } from '../calls/index.ts'
import { canonicalNumber, findUnreached } from '../directory/index.ts'
import type { Locale } from '../platform/audio.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { Accounts } from './accounts.ts'
import type { Trouble, TroubledEndpoint } from './channels/webhook.ts'
import type { EventType } from './forms.ts'
import { type NewMessage, OWN_ENDPOINT, PRIORITY } from './message.ts'
import type { WebhookContent, WhatsAppContent } from './new-message.ts'
import type { Outbound } from './outbound.ts'
import { createOutbox } from './outbox.ts'
import { endpointsFor } from './sql/endpoints.ts'

/** ms after which a note about a visit is useless. */
const NOTE_MS = 60 * 60 * 1000
/** Outcomes of visits that reached nobody, unless a resident answered and left it undecided. */
const UNREACHED = ['unanswered', 'unreachable']
const WAS_ANSWERED = ['undecided', 'resident-left']

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
  /** For tenants without their own. */
  locale: Locale
  log: Logger
  now?: () => number
}

/** Where a call event happened, as the journal has it. */
export interface CallPlace {
  tenant: string
  /** Id of the extension; null for the main port pair. */
  gate: string | null
  unit: { id: string; number: string } | null
}

/** A ringing that an outside dialler must do (CLICKTOCALL=manual). */
export interface WantedResident {
  callId: string
  tenantId: string
  attemptId: string
  unit: string
  /** Number to call. */
  number: string
  ringMs: number
}

/**
 * Turns call events into messages: `call.started`, `call.decided`, `call.ended` for the tenant's endpoints, and a note to
 * residents who were not reached. It follows the journal and never delays it. No message has what was said in the call.
 */
export function createCallEventMessages(options: CallEventMessagesOptions) {
  const { outbound, database, accounts, ownEndpoint, locale, log, now = Date.now } = options
  const outbox = createOutbox({ log })

  const publish = (
    tenantId: string,
    content: WebhookContent & { type: EventType },
    extra: { key: string } & Partial<Pick<NewMessage, 'callId' | 'priority' | 'expiresAt'>>,
    except?: string,
  ): void => {
    const { key, ...rest } = extra
    const facts = { tenant: tenantId, event: content.type, ...(rest.callId && { call_id: rest.callId }) }
    outbox.add(facts, async () => {
      if (rest.expiresAt && rest.expiresAt.getTime() <= now()) return
      const endpoints = await endpointsFor(database, tenantId, content.type)
      const all = [...endpoints, ...(ownEndpoint ? [OWN_ENDPOINT] : [])].filter((id) => id !== except)
      await Promise.all(
        all.map((to) =>
          outbound.enqueue({
            tenantId,
            channel: 'webhook',
            to,
            body: content,
            idempotencyKey: `${key}:${to}`,
            ...rest,
          }),
        ),
      )
    })
  }

  const publishCallEvent = (
    type: EventType,
    { callId, at }: EventRow,
    data: CallPlace & Record<string, unknown>,
  ): void => {
    const { tenant, unit, ...facts } = data
    const content = {
      type,
      timestamp: at.toISOString(),
      data: { call_id: callId, tenant, unit: unit?.number ?? null, ...facts },
    }
    publish(tenant, content, { key: `${type}:${callId}`, callId })
  }

  const noteUnreached = (event: EventRow, { tenant, unit }: CallPlace): void => {
    const { callId } = event
    if (!unit) return
    const expiresAt = new Date(event.at.getTime() + NOTE_MS)
    outbox.add({ call_id: callId, tenant }, async () => {
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
    })
  }

  const onCallEvent = (event: EventRow): void => {
    const data = event.data as CallPlace & Record<string, unknown>
    const { kind } = event
    if (kind === 'started') {
      const { tenant, gate } = data
      publishCallEvent('call.started', event, { tenant, gate, unit: null })
    } else if (kind === 'decided') {
      const { tenant, gate, unit, verdict, by, via } = data
      publishCallEvent('call.decided', event, { tenant, gate, unit, verdict, by, via })
    } else if (kind === 'ended') {
      const { tenant, gate, unit, outcome, reason, durations } = data
      publishCallEvent('call.ended', event, { tenant, gate, unit, outcome, reason, durations })
      if (UNREACHED.includes(String(outcome)) && !WAS_ANSWERED.includes(String(reason)))
        noteUnreached(event, data)
    }
  }

  const unsubscribe = options.journal.subscribe(onCallEvent)

  return {
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
      await outbox.close()
    },
  }
}
