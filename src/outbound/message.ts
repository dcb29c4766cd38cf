import type { LastError } from './sql/messages.ts'

/** Ways by which a message can leave. */
export const CHANNELS = ['whatsapp', 'twilio', 'webhook', 'gate'] as const
export type Channel = (typeof CHANNELS)[number]

/**
 * Higher goes first; a visitor waits for what an important message asks. Critical messages have pollers of their own, so that
 * a gate never waits behind a backlog.
 */
export const PRIORITY = { normal: 0, reply: 1, important: 5, critical: 10 } as const

/** The `to` of webhook messages for WEBHOOK_URL. */
export const OWN_ENDPOINT = 'environment'

/** Delivery status of a message, as described in `machines/delivery.ts`. */
export type MessageStatus =
  | 'pending'
  | 'processing'
  | 'retrying'
  | 'sent'
  | 'failed'
  | 'expired'
  | 'cancelled'

/** A message to enqueue. Missing fields get their defaults from the configuration. */
export interface NewMessage {
  tenantId: string
  /** The tenant's account that sends it; default `default`. */
  instanceId?: string
  channel: Channel
  /** E.164 for telephones, the id of an endpoint or a URL for webhooks, the id of a gate (or `default`) for gates. */
  to: string
  /** new-message.ts has its form, by channel. */
  body: Record<string, unknown>
  /** 0 to 10. */
  priority?: number
  /** Attempts after the first one. */
  maxRetries?: number
  /** ms before the first retry; it doubles with each, with jitter. */
  retryDelayMs?: number
  /** The message is not sent after this time. */
  expiresAt?: Date
  /** A second message of the tenant with the same key is ignored. */
  idempotencyKey?: string
  callId?: string
  /** Only of a webhook to a URL. */
  headers?: Readonly<Record<string, string>>
}

/** A message as it is stored. */
export interface Message {
  id: string
  tenantId: string
  instanceId: string
  channel: Channel
  to: string
  body: Record<string, unknown>
  priority: number
  status: MessageStatus
  maxRetries: number
  retryDelayMs: number
  /** Attempts so far. */
  attempts: number
  expiresAt: Date | null
  idempotencyKey: string | null
  callId: string | null
  /** The provider's id, once sent: receipts and quoted replies name it. */
  providerId: string | null
  createdAt: Date
  /** As they are stored; only of a message that was not read from its table. */
  headers?: Readonly<Record<string, string>>
}

/** One attempt, as a channel sees it. */
export interface Attempt {
  /** 1 for the first. */
  number: number
  /** Aborts when the worker ends or the attempt takes too long. */
  signal: AbortSignal
}

/** Result of a successful attempt. */
export interface Accepted {
  providerId?: string
  /** HTTP status, if the channel has one. */
  status?: number
}

/**
 * A channel. `send` resolves when the receiver has accepted the message, and rejects with a DeliveryError
 * (src/platform/http-client/delivery-error.ts) that says whether and when it may be retried.
 */
export interface ChannelSender {
  readonly channel: Channel
  send(message: Message, attempt: Attempt): Promise<Accepted>
  close(): Promise<void>
}

/** A change of a message's delivery, in this process. */
export interface DeliveryFact {
  messageId: string
  tenantId: string
  channel: Channel
  callId: string | null
  status: MessageStatus
  attempts: number
  at?: Date
  error?: LastError | undefined
  nextAttemptAt?: Date | undefined
}
