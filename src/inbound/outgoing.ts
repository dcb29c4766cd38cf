import type { Transaction } from '../platform/postgres/index.ts'

/** The carrier by which somebody is written to, and by whose account. */
export interface Carrier {
  channel: 'whatsapp' | 'twilio'
  instanceId: string
}

/** By which account a tenant's residents are written to, and whether it plays them the visitor's voice. */
export interface TenantCarrier extends Carrier {
  plays: boolean
}

/** A message that leaves; what src/outbound takes. */
export interface Outgoing extends Carrier {
  tenantId: string
  /** E.164. */
  to: string
  body: Record<string, unknown>
  priority: number
  expiresAt?: Date
  /** A second message of the tenant with the same key is the first one, so that a job that runs twice writes once. */
  idempotencyKey: string
  callId?: string
}

export type Enqueue = (message: Outgoing, options?: { transaction?: Transaction }) => Promise<{ id: string }>

/** A text, as both channels take it. */
export function textBody(text: string): Record<string, unknown> {
  return { type: 'text', text }
}

/**
 * A question with its answers, in the channel's form. Where there are no buttons the answers are numbered below the text; what
 * is typed counts everywhere.
 */
export function questionBody(
  channel: Carrier['channel'],
  text: string,
  answers: readonly { id: string; title: string }[],
): Record<string, unknown> {
  if (channel === 'whatsapp') return { type: 'buttons', text, buttons: answers }
  const lines = answers.map(({ title }, at) => `${at + 1} - ${title}`)
  return textBody([text, ...lines].join('\n'))
}

/** Higher goes first: a visitor stands at the gate; a reply may wait a moment. */
export const PRIORITY = { question: 5, reply: 1 } as const
