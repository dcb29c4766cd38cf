import { z } from 'zod'
import { undelivered } from '../platform/http-client/index.ts'
import type { Channel, Message } from './message.ts'
import { problemsIn } from './problems.ts'

/** Most characters of a text at WhatsApp, and of the text above buttons. */
const TEXT = 4096
const BUTTON_TEXT = 1024
const text = z.string().min(1)

/** What visitors leave in their own voice, as the legs name it: who they are, and what for. */
const RECORDINGS = ['identity', 'purpose'] as const
export type RecordingName = (typeof RECORDINGS)[number]

/** `id` comes back with the answer; `title` is what is read. The limits are WhatsApp's. */
const button = z.strictObject({ id: z.string().min(1).max(256), title: z.string().min(1).max(20) })

/** What a message of the channel `whatsapp` says: its body. */
export const whatsappContent = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('text'),
    text: text.max(TEXT),
    /** The provider's id of a message that this one answers. */
    replyTo: z.string().optional(),
  }),
  // a question: where buttons do not work the titles are numbered below the text
  z.strictObject({
    type: z.literal('buttons'),
    text: text.max(BUTTON_TEXT),
    buttons: z.array(button).min(1).max(3),
    replyTo: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('template'),
    name: z.string().min(1),
    /** As Meta writes it: pt_BR. */
    language: z.string().min(2),
    /** For the places in its body, in order. */
    parameters: z.array(z.string()).default([]),
    /** Payloads of its quick replies, in order. */
    payloads: z.array(z.string()).default([]),
  }),
  // the visitor's own voice
  z.strictObject({ type: z.literal('audio'), callId: z.uuid(), recording: z.enum(RECORDINGS) }),
])
export type WhatsAppContent = z.output<typeof whatsappContent>

/** What a message of the channel `twilio` says; the titles of buttons are numbered below it. 1600 is Twilio's limit. */
export const twilioContent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: text.max(1600) }),
  z.strictObject({
    type: z.literal('buttons'),
    text: text.max(1400),
    buttons: z.array(button).min(1).max(3),
  }),
])

/** An event, as webhooks get it. */
export const webhookContent = z.looseObject({
  /** As call.ended. */
  type: z.string().regex(/^[a-z_]+(\.[a-z_]+)*$/),
  /** When it happened, ISO 8601. */
  timestamp: z.iso.datetime({ offset: true }),
  data: z.record(z.string(), z.unknown()),
})
export type WebhookContent = z.output<typeof webhookContent>

/** What a gate is told. `id` is the call's: a second command with it is the first one. */
export const gateContent = z.strictObject({
  type: z.literal('gate.open'),
  id: z.uuid(),
  /** When it was decided. */
  timestamp: z.iso.datetime({ offset: true }),
  /** From then on it means nothing. */
  expires_at: z.iso.datetime({ offset: true }),
  data: z.strictObject({
    call_id: z.uuid(),
    tenant: z.string(),
    gate: z.string(),
    unit: z.string().nullable(),
    by: z.string(),
    via: z.string(),
  }),
})
export type GateContent = z.output<typeof gateContent>

const FORMS: Record<Channel, z.ZodType> = {
  whatsapp: whatsappContent,
  twilio: twilioContent,
  webhook: webhookContent,
  gate: gateContent,
}

/** All that is wrong with the body of a message for this channel, a field each; empty when it can be sent. */
export function problemsOf(channel: Channel, body: unknown): string[] {
  return problemsIn(FORMS[channel], body, 'body')
}

/** The body of a message in its channel's form. Throws CONTENT_INVALID, final. */
export function contentOf<Form extends z.ZodType>(form: Form, { channel, body }: Message): z.output<Form> {
  const result = form.safeParse(body)
  if (result.success) return result.data
  throw undelivered(
    'CONTENT_INVALID',
    { channel, problem: problemsOf(channel, body).join('; ') },
    { final: true },
  )
}
