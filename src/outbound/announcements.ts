import { randomUUID } from 'node:crypto'
import type { Querier, Transaction } from '../platform/postgres/index.ts'
import { type NewJob, type Queue, typedJob } from '../queue/index.ts'
import { writeMessages } from './enqueue.ts'
import type { Message, NewMessage } from './message.ts'
import { type MessageDefaults, prepare, type WebhookContent } from './new-message.ts'
import { endpointsNaming } from './sql/endpoints.ts'
import { findByProviderId, type LastError } from './sql/messages.ts'

/** Type of the job that announces a dead message. */
export const MESSAGE_DIED = 'message_died'

/** What receivers learn of a message's delivery. */
export interface StatusChange {
  message: Pick<
    Message,
    'id' | 'tenantId' | 'instanceId' | 'channel' | 'to' | 'body' | 'callId' | 'providerId' | 'attempts'
  >
  status: 'sent' | 'delivered' | 'read' | 'failed' | 'expired'
  at: Date
  error?: LastError | undefined
}

/** Status changes of outcomes; retries and cancellations are none. */
export const isAnnounced = (status: string): status is 'sent' | 'failed' | 'expired' =>
  status === 'sent' || status === 'failed' || status === 'expired'

/** An event of the family `message.*`, about a message. */
const isStatusEvent = ({ channel, body }: Pick<Message, 'channel' | 'body'>): boolean =>
  channel === 'webhook' && typeof body['type'] === 'string' && body['type'].startsWith('message.')

/** Whether the Cloud API would post statuses of the message; it has none of a mark. */
const hasCloudStatus = (message: Pick<Message, 'channel' | 'body'>): boolean =>
  message.channel === 'whatsapp' && typeOf(message) !== 'read'

/** The recipient as others may read it: the query of a URL may be a secret. */
export function recipientOf({ channel, to }: Pick<Message, 'channel' | 'to'>): string {
  const url = channel === 'webhook' ? URL.parse(to) : null
  return url ? url.origin + url.pathname : to
}

/** The type of a body, as `text` or `call.ended`. */
export const typeOf = ({ body: { type } }: Pick<Message, 'body'>): string | null =>
  typeof type === 'string' ? type : null

export type Announce = ReturnType<typeof createAnnounce>

interface AnnounceOptions {
  queue: Queue
  /** STATUS_FAILED_WEBHOOK_URL is set. */
  announcesDeaths: boolean
  defaults: MessageDefaults
}

/**
 * Announces changes in the transaction that writes them: dead messages to STATUS_FAILED_WEBHOOK_URL, and each change as an event
 * `message.*` to the tenant's endpoints that name it. Events `message.*` are not announced themselves, and no endpoint gets an event
 * about a message to it, so that no event causes another.
 */
export function createAnnounce({ queue, announcesDeaths, defaults }: AnnounceOptions) {
  return async (transaction: Transaction, changes: readonly StatusChange[]): Promise<void> => {
    const dead = changes.filter(({ status }) => status === 'failed' || status === 'expired')
    if (announcesDeaths && dead.length > 0) {
      const jobs = dead.map(({ message }) => deathOf(message))
      await queue.enqueue('webhook.status.failed', jobs, transaction)
    }
    const told = changes.filter(({ message }) => !isStatusEvent(message))
    if (told.length === 0) return
    const tenants = [...new Set(told.map(({ message }) => message.tenantId))]
    const types = [...new Set(told.map(({ status }) => `message.${status}`))]
    const endpoints = await endpointsNaming(transaction, tenants, types)
    const events = told.flatMap((change) =>
      endpoints
        .filter(
          ({ id, tenantId, events, format }) =>
            tenantId === change.message.tenantId &&
            id !== change.message.to &&
            events.includes(`message.${change.status}`) &&
            (format !== 'cloud' || hasCloudStatus(change.message)),
        )
        .map(({ id }) => prepare(eventOf(change, id), defaults, Date.now()).message),
    )
    if (events.length > 0) await writeMessages(queue, transaction, events)
  }
}

/** A person's message, as receivers get it. */
export interface ReceivedMessage {
  id: string
  tenantId: string
  instanceId: string
  channel: string
  network: string
  providerId: string
  kind: string
  phone: string | null
  userId: string | null
  text: string | null
  buttonId: string | null
  quotedId: string | null
  sentAt: Date | null
  receivedAt: Date
  /** As the provider posted it. */
  payload: unknown
}

/** Bytes of a provider's post that go along in the Cloud API's form; real ones have about a thousand. */
const MAX_POSTED = 64 * 1024

/** Publishes a person's message as `message.received` to the tenant's endpoints that name it; the same one twice is one event. */
export function createReceivedEvents({
  database,
  enqueue,
}: {
  database: Querier
  enqueue: (message: NewMessage) => Promise<unknown>
}) {
  return async (message: ReceivedMessage): Promise<void> => {
    const { id, tenantId, instanceId, channel, network, providerId, kind, phone, userId, text } = message
    const { buttonId, quotedId, sentAt, receivedAt, payload } = message
    const type = 'message.received'
    const endpoints = await endpointsNaming(database, [tenantId], [type])
    if (endpoints.length === 0) return
    const quoted = quotedId === null ? undefined : await findByProviderId(database, quotedId, tenantId)
    const body: WebhookContent = {
      type,
      timestamp: receivedAt.toISOString(),
      data: {
        message_id: id,
        tenant: tenantId,
        instance: instanceId,
        channel,
        network,
        provider_id: providerId,
        kind,
        from: phone,
        user_id: userId,
        text,
        button_id: buttonId,
        quoted_id: quotedId,
        quoted_message_id: quoted?.id ?? null,
        sent_at: sentAt?.toISOString() ?? null,
      },
    }
    const isSmall = JSON.stringify(payload ?? {}).length <= MAX_POSTED
    const withPost = isSmall ? { ...body, data: { ...body.data, posted: payload } } : body
    for (const { id: to, format } of endpoints) {
      // Twilio posts in a form of its own
      if (format === 'cloud' && channel === 'twilio') continue
      const idempotencyKey = `${type}:${id}:${to}`
      const content = format === 'cloud' ? withPost : body
      await enqueue({ tenantId, channel: 'webhook', to, body: content, idempotencyKey })
    }
  }
}

function deathOf({ id, tenantId }: StatusChange['message']): NewJob {
  return typedJob(randomUUID(), { type: MESSAGE_DIED, data: { message: id, tenantId } })
}

function eventOf({ message, status, at, error }: StatusChange, endpoint: string): NewMessage {
  const { id, tenantId, instanceId, channel, callId, providerId, attempts } = message
  const type = `message.${status}`
  const body: WebhookContent = {
    type,
    timestamp: at.toISOString(),
    data: {
      message_id: id,
      tenant: tenantId,
      instance: instanceId,
      channel,
      to: recipientOf(message),
      message_type: typeOf(message),
      call_id: callId,
      provider_id: providerId,
      attempts,
      ...(error && { error }),
    },
  }
  return {
    tenantId,
    channel: 'webhook',
    to: endpoint,
    body,
    // a redriven message may fail again
    idempotencyKey: `${type}:${id}:${attempts}:${endpoint}`,
    ...(callId !== null && { callId }),
  }
}
