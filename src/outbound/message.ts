/** By which way a message leaves. */
export const CHANNELS = ['whatsapp', 'twilio', 'webhook', 'gate'] as const
export type Channel = (typeof CHANNELS)[number]

/** Higher goes first. Critical messages have workers of their own, so that no backlog stands before a gate. */
export const PRIORITY = { normal: 0, reply: 1, important: 5, critical: 10 } as const

/** Where a message is in its life; `machines/delivery.ts` is the one description of it. */
export type MessageStatus =
  | 'pending'
  | 'processing'
  | 'retrying'
  | 'sent'
  | 'failed'
  | 'expired'
  | 'cancelled'

/** What somebody wants sent. What is left out gets its default from the configuration. */
export interface NewMessage {
  tenantId: string
  /** Which of the tenant's accounts with the provider sends it; default `default`. */
  instanceId?: string
  channel: Channel
  /** E.164 for telephones, the id of an endpoint for webhooks, the id of a gate (or `default`) for gates. */
  to: string
  /** What the channel makes of it is told at the channel. */
  body: Record<string, unknown>
  /** 0 to 10. */
  priority?: number
  /** Tries after the first one. */
  maxRetries?: number
  /** ms before the first retry; it doubles with each, with jitter. */
  retryDelayMs?: number
  /** After it the message is not sent any more. */
  expiresAt?: Date
  /** A second message of the tenant with the same key is the first one. */
  idempotencyKey?: string
  callId?: string
}

/** A message as it is kept. */
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
  /** Tries so far. */
  attempts: number
  expiresAt: Date | null
  idempotencyKey: string | null
  callId: string | null
  /** The provider's id of it, once sent: receipts and quoted replies name it. */
  providerId: string | null
  createdAt: Date
}

/** One try, as a channel sees it. */
export interface Attempt {
  /** 1 for the first. */
  number: number
  /** Aborts when the worker ends or the try has taken too long. */
  signal: AbortSignal
}

/** What came of a try that went well. */
export interface Accepted {
  providerId?: string
  /** HTTP status, where the way has one. */
  status?: number
}

/**
 * A way out. `send` resolves when the other side has accepted the message, and rejects with a DeliveryError
 * (src/platform/http-client/delivery-error.ts) that tells what may be tried again and when.
 */
export interface ChannelSender {
  readonly channel: Channel
  send(message: Message, attempt: Attempt): Promise<Accepted>
  close(): Promise<void>
}
