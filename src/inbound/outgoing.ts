import type { Transaction } from '../platform/postgres/index.ts'

/** A messenger, and the account to write by. */
export interface Messenger {
  channel: 'whatsapp' | 'twilio'
  instanceId: string
}

/** The account for writing to a tenant's residents. */
export interface TenantMessenger extends Messenger {
  /** It can send them the visitor's voice. */
  plays: boolean
}

/** A message to a person, as src/outbound takes it. */
export interface PersonalMessage extends Messenger {
  tenantId: string
  /** E.164. */
  to: string
  body: Record<string, unknown>
  priority: number
  expiresAt?: Date
  /** A second message of the tenant with the same key is ignored, so that a job that runs twice writes once. */
  idempotencyKey: string
  callId?: string
}

export type Enqueue = (
  message: PersonalMessage,
  options?: { transaction?: Transaction },
) => Promise<{ id: string }>

/** A text, in the form of both channels. */
export function textBody(text: string): Record<string, unknown> {
  return { type: 'text', text }
}

/**
 * A question with its answers, in the channel's form. Where there are no buttons, the answers are numbered below the text. A
 * typed answer counts everywhere.
 */
export function questionBody(
  channel: Messenger['channel'],
  text: string,
  answers: readonly { id: string; title: string }[],
): Record<string, unknown> {
  if (channel === 'whatsapp') return { type: 'buttons', text, buttons: answers }
  const lines = answers.map(({ title }, at) => `${at + 1} - ${title}`)
  return textBody([text, ...lines].join('\n'))
}

/** Higher goes first: behind a question a visitor waits at the gate; a reply is less urgent. */
export const PRIORITY = { question: 5, reply: 1 } as const
