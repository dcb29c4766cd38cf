import { createHmac } from 'node:crypto'
import type { WhatsAppAccount } from '../accounts.ts'
import type { WebhookContent } from '../new-message.ts'

/** Meta's code for a failure that it does not explain. */
const SOMETHING = 131000

/** The facts of `message.*` events as src/outbound/announcements.ts writes them. */
interface Facts {
  message_id?: string
  instance?: string
  to?: string
  error?: { code: string; message: string; details?: Record<string, unknown> }
  from?: string | null
  user_id?: string | null
  text?: string | null
  provider_id?: string
  quoted_message_id?: string | null
  quoted_id?: string | null
  sent_at?: string | null
  /** The message as the Cloud API or UnoAPI posted it. */
  posted?: Record<string, unknown>
}

const STATUSES: Record<string, string> = {
  'message.sent': 'sent',
  'message.delivered': 'delivered',
  'message.read': 'read',
  'message.failed': 'failed',
  'message.expired': 'failed',
}

/**
 * An event `message.*` as the Cloud API and UnoAPI post it. The id of a status is Porteiro's, which `POST /{version}/{phone}/messages`
 * answered; that of a person's message is the provider's, as an answer or a read mark names it. Other events stay as they are.
 */
export function asCloudWebhook(
  content: WebhookContent,
  account: Pick<WhatsAppAccount, 'channel' | 'settings'> | undefined,
): object {
  const { type, timestamp } = content
  const data = content.data as Facts
  // an account that was deleted since has no number any more
  const phone = account?.settings.phoneId.replace(/^\+/, '') ?? data.instance ?? ''
  const seconds = secondsOf(timestamp)
  const status = STATUSES[type]
  const part = status
    ? { statuses: [statusOf(data, status, seconds)] }
    : type === 'message.received'
      ? personsMessage(data, seconds)
      : undefined
  if (!part) return content
  const value = {
    messaging_product: 'whatsapp',
    // Meta's id of a number is no number, and the number itself is not known here
    metadata: {
      ...(account?.channel === 'unoapi' && { display_phone_number: phone }),
      phone_number_id: phone,
    },
    ...part,
  }
  return {
    object: 'whatsapp_business_account',
    entry: [{ id: phone, changes: [{ field: 'messages', value }] }],
  }
}

/** Meta's signature, with the endpoint's newest secret as the app's secret. */
export function metaSignature(body: string, [secret]: readonly string[]): Record<string, string> {
  if (secret === undefined) return {}
  return { 'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` }
}

function statusOf({ message_id: id, to = '', error }: Facts, status: string, timestamp: string) {
  const failed = status === 'failed' && (error ?? { code: 'MESSAGE_EXPIRED', message: 'It expired.' })
  return {
    id,
    status,
    timestamp,
    recipient_id: to.replace(/^\+/, ''),
    ...(failed && {
      errors: [
        {
          code: numberOf(failed),
          title: failed.message,
          message: failed.message,
          error_data: { details: failed.code },
        },
      ],
    }),
  }
}

/** Meta's number of an error, where it gave one. */
function numberOf({ details = {} }: NonNullable<Facts['error']>): number {
  const { number, reason } = details
  if (typeof number === 'number') return number
  const [first] = /^\d{1,9}/.exec(String(reason ?? '')) ?? []
  return first === undefined ? SOMETHING : Number(first)
}

function personsMessage(data: Facts, seconds: string) {
  const { from, user_id, text, provider_id: id, posted, sent_at: sentAt } = data
  const { quoted_message_id: ours, quoted_id: quoted } = data
  const person = String(posted?.['from'] ?? from?.replace(/^\+/, '') ?? user_id ?? '')
  // a message that quotes one of ours names it by the id that its sender knows
  const asKnown = (part: unknown, name: string) =>
    ours && part !== null && typeof part === 'object' && (part as Record<string, unknown>)[name] === quoted
      ? { ...part, [name]: ours }
      : part
  const isKnown = posted !== undefined && Object.keys(posted).length > 0
  const { context, reaction, ...rest } = isKnown ? posted : { type: 'text', text: { body: text ?? '' } }
  return {
    contacts: [{ profile: { name: person }, wa_id: person }],
    messages: [
      {
        ...rest,
        id,
        from: person,
        timestamp: String(posted?.['timestamp'] ?? (sentAt ? secondsOf(sentAt) : seconds)),
        ...(context !== undefined && { context: asKnown(context, 'id') }),
        ...(reaction !== undefined && { reaction: asKnown(reaction, 'message_id') }),
      },
    ],
  }
}

const secondsOf = (moment: string): string => String(Math.floor(Date.parse(moment) / 1000))
