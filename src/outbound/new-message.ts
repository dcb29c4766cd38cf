import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { RecordingName } from '../../machines/index.ts'
import { fail, PorteiroError } from '../platform/errors.ts'
import { DeliveryError, undelivered } from '../platform/http-client/index.ts'
import type { Secrets } from '../platform/secrets.ts'
import type { MessageQueue } from '../queue/index.ts'
import type { Accounts } from './accounts.ts'
import { linkedMedia } from './channels/media.ts'
import { cloudMessage } from './cloud.ts'
import { type EventType, headerRefusal, webhookUrl } from './forms.ts'
import { type FreeWebhooks, isFree } from './free-webhooks.ts'
import { CHANNELS, type Channel, type Message, type NewMessage, OWN_ENDPOINT, PRIORITY } from './message.ts'
import type { EndpointTargets } from './sql/endpoints.ts'
import { sealHeaders } from './sql/message-headers.ts'
import type { FreshMessage } from './sql/messages.ts'

/** WhatsApp's limits, in characters: a text, and the text above buttons. */
const TEXT = 4096
const BUTTON_TEXT = 1024
const text = z.string().min(1)

/** Recordings of a visitor: who they are, and the purpose of the visit. */
const RECORDINGS = ['identity', 'purpose'] as const satisfies readonly RecordingName[]

/** `id` returns with the answer; `title` is shown. The limits are WhatsApp's. */
const button = z.strictObject({ id: z.string().min(1).max(256), title: z.string().min(1).max(20) })

/** Body of a message of the channel `whatsapp`. */
export const whatsappContent = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('text'),
    text: text.max(TEXT),
    /** The id of a message that this one answers, ours or the provider's. */
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
  // any message of the Cloud API, sent as it is
  z.strictObject({ type: z.literal('cloud'), message: cloudMessage }),
  // marks a person's message as read; its id, ours or the provider's
  z.strictObject({ type: z.literal('read'), messageId: z.string().min(1).max(300) }),
  // the visitor's own voice
  z.strictObject({ type: z.literal('audio'), callId: z.uuid(), recording: z.enum(RECORDINGS) }),
])
export type WhatsAppContent = z.output<typeof whatsappContent>

/** Body of a message of the channel `twilio`; button titles are numbered below the text. 1600 is Twilio's limit. */
export const twilioContent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: text.max(1600) }),
  z.strictObject({
    type: z.literal('buttons'),
    text: text.max(1400),
    buttons: z.array(button).min(1).max(3),
  }),
])

/** Body of a webhook message: an event. */
export const webhookContent = z.looseObject({
  /** As call.ended. */
  type: z.string().regex(/^[a-z_]+(\.[a-z_]+)*$/),
  /** When it happened, ISO 8601. */
  timestamp: z.iso.datetime({ offset: true }),
  data: z.record(z.string(), z.unknown()),
})
export type WebhookContent = z.output<typeof webhookContent>

/** Body of a webhook to a URL: any JSON, or a text that is sent as it is. */
export const freeContent = z
  .strictObject({ json: z.unknown(), text: z.string() })
  .partial()
  .refine((body) => Object.keys(body).length === 1, 'must have either json or text')

/** Command to a gate. A gate ignores a second command with the same `id`; `call_id` is that id if it was opened by hand. */
export const gateContent = z.strictObject({
  type: z.literal('gate.open'),
  id: z.uuid(),
  /** When it was decided. */
  timestamp: z.iso.datetime({ offset: true }),
  /** After this the gate ignores it. */
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

/** Problems of a message's body for this channel, one a field; empty if it can be sent. */
export function problemsOf(channel: Channel, body: unknown): string[] {
  return problemsIn(FORMS[channel], body, 'body')
}

/** The body of a message in its channel's form. Throws CONTENT_INVALID, final. */
export function contentOf<Form extends z.ZodType>(form: Form, { channel, body }: Message): z.output<Form> {
  const result = form.safeParse(body)
  if (result.success) return result.data
  throw undelivered(
    'CONTENT_INVALID',
    { channel, problem: problemsIn(form, body, 'body').join('; ') },
    { final: true },
  )
}

/** Maximum size of a body as JSON, in bytes. */
const MAX_BODY_BYTES = 256 * 1024

export interface MessageDefaults {
  maxRetries: number
  /** ms */
  retryDelayMs: number
  /** Encrypt the headers of webhooks to URLs. */
  secrets: Secrets
}

const line = (max: number) => z.string().trim().min(1).max(max)

const form = z.strictObject({
  tenantId: line(200),
  instanceId: line(200).default('default'),
  channel: z.enum(CHANNELS),
  to: line(2000),
  body: z.record(z.string(), z.unknown()),
  priority: z.int().min(PRIORITY.normal).max(PRIORITY.critical).default(PRIORITY.normal),
  maxRetries: z.int().min(0).max(100).optional(),
  retryDelayMs: z.int().min(0).max(86_400_000).optional(),
  expiresAt: z.date().optional(),
  idempotencyKey: line(500).optional(),
  callId: line(200).optional(),
  headers: z.record(z.string(), z.string()).optional(),
})

export interface Prepared {
  message: FreshMessage
  /** Size of the body as JSON. */
  bytes: number
}

/** Problems of its fields, without the channel's rules for the body. */
function formProblems(message: NewMessage): string[] {
  return problemsIn(form, message, 'message', '')
}

/** A message as it will be stored. Throws MESSAGE_INVALID with every problem in `details.problems`. */
export function prepare(
  message: NewMessage,
  { maxRetries, retryDelayMs, secrets }: MessageDefaults,
  now: number,
): Prepared {
  const read = form.safeParse(message)
  const problems = formProblems(message)
  let bytes = 0
  if (read.success) {
    const { body, expiresAt } = read.data
    bytes = Buffer.byteLength(jsonOf(body) ?? '')
    if (bytes === 0) problems.push('body: it cannot be written as JSON')
    if (bytes > MAX_BODY_BYTES) problems.push(`body: ${bytes} bytes are more than ${MAX_BODY_BYTES}`)
    if (expiresAt && expiresAt.getTime() <= now) problems.push('expiresAt: it has passed')
  }
  if (!read.success || problems.length > 0) {
    throw fail('MESSAGE_INVALID', { problem: problems.join('; '), problems })
  }
  const { expiresAt, idempotencyKey, callId, headers, ...given } = read.data
  const id = randomUUID()
  const fresh = {
    ...given,
    id,
    maxRetries: given.maxRetries ?? maxRetries,
    retryDelayMs: given.retryDelayMs ?? retryDelayMs,
    expiresAt: expiresAt ?? null,
    idempotencyKey: idempotencyKey ?? null,
    callId: callId ?? null,
    queue: queueOf(given),
    createdAt: new Date(now),
    ...(headers && { headers: sealHeaders(secrets, id, headers) }),
  }
  return { message: fresh, bytes }
}

interface AdmissionOptions {
  endpoints: EndpointTargets
  accounts: Pick<Accounts, 'find'>
  /** WEBHOOK_URL is set: `environment` is an endpoint. */
  ownEndpoint: boolean
  /** Refuses a webhook to a URL that the tenant may not reach. */
  free: Pick<FreeWebhooks, 'admit'>
}

export type Admission = ReturnType<typeof createAdmission>

/**
 * Checks messages of the API before they are enqueued, so that the caller learns of one that can never be sent. Rejects
 * with MESSAGE_INVALID and every problem, or with HEADER_REFUSED, ENDPOINT_UNKNOWN, INSTANCE_UNKNOWN or the errors of
 * FreeWebhooks.admit. A disabled
 * endpoint passes: it may be enabled again.
 */
export function createAdmission({ endpoints, accounts, ownEndpoint, free }: AdmissionOptions) {
  return async (message: NewMessage): Promise<void> => {
    const { tenantId, instanceId = 'default', channel, to, body, headers } = message
    const problems = formProblems(message)
    const goesToUrl = isFree(message)
    // a body that is no object is a problem already
    if (CHANNELS.includes(channel) && !problems.some((problem) => problem.startsWith('body')))
      problems.push(...(goesToUrl ? problemsIn(freeContent, body, 'body') : problemsOf(channel, body)))
    const { error } = goesToUrl ? webhookUrl.safeParse(to) : {}
    problems.push(...(error?.issues ?? []).map((issue) => `to: ${issue.message}`))
    if (headers && !goesToUrl) problems.push('headers: belong to a webhook to a URL')
    if (problems.length > 0) throw fail('MESSAGE_INVALID', { problem: problems.join('; '), problems })
    const refusal = headers && headerRefusal(headers)
    if (refusal) throw fail('HEADER_REFUSED', refusal)
    if (goesToUrl) await free.admit(tenantId, to)
    else if (channel === 'webhook') {
      const known = to === OWN_ENDPOINT ? ownEndpoint : await endpoints.find(tenantId, to)
      if (!known) throw fail('ENDPOINT_UNKNOWN', { endpoint: to })
    } else if (channel === 'gate') {
      // a gate's commands are no messages of the API
      throw fail('BUG', { channel })
    } else if (!(await accounts.find(tenantId, channel, instanceId).catch(refuse))) {
      throw fail('INSTANCE_UNKNOWN', { tenant: tenantId, carrier: channel, instance: instanceId })
    }
  }
}

/** The account cannot be read: because of the database, or because it is invalid. */
function refuse(error: unknown): never {
  if (!(error instanceof DeliveryError)) throw error
  if (error.cause instanceof PorteiroError) throw error.cause
  throw fail('MESSAGE_INVALID', { problem: error.message, problems: [error.message] }, error)
}

function jsonOf(body: object): string | undefined {
  try {
    return JSON.stringify(body)
  } catch {
    return undefined
  }
}

/** Events that somebody must see to. */
const FOR_OPERATORS: readonly unknown[] = [
  'gate.failed',
  'endpoint.paused',
  'endpoint.disabled',
] satisfies EventType[]

/**
 * Webhooks have a queue of their own, because their receivers are many and often slow. So have notices to operators, which must not
 * wait behind them, and files, which take long to send.
 */
function queueOf({ channel, body }: Pick<NewMessage, 'channel' | 'body'>): MessageQueue {
  if (channel === 'webhook')
    return FOR_OPERATORS.includes((body as { type?: unknown }).type) ? 'notification' : 'webhook'
  return channel === 'whatsapp' && hasFile(body) ? 'media' : 'outgoing'
}

/** A recording of a call, or a file behind a link. */
function hasFile(body: object): boolean {
  const { success, data } = whatsappContent.safeParse(body)
  if (!success) return false
  return data.type === 'audio' || (data.type === 'cloud' && linkedMedia(data.message) !== undefined)
}

type Issue = z.core.$ZodRawIssue

const KINDS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  date: 'a time',
}
const FORMATS: Record<string, string> = {
  uuid: 'a UUID',
  datetime: 'a time such as 2026-11-21T15:00:00Z',
}

/** All problems of `value`, in plain words: `body.text: is missing`. Empty if there are none. */
function problemsIn(form: z.ZodType, value: unknown, name: string, inside = name): string[] {
  const { error } = form.safeParse(value, { error: wordsFor })
  return (error?.issues ?? []).map(({ path, message }) => {
    const field = path.length === 0 ? name : [inside, ...path].filter((step) => step !== '').join('.')
    return `${field}: ${message}`
  })
}

function wordsFor(issue: Issue): string {
  if (issue.code === 'invalid_union') return oneOf(issue)
  if (issue.code === 'unrecognized_keys') return `must not have ${issue.keys.join(', ')}`
  if (issue.input === undefined) return 'is missing'
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`
    case 'invalid_format':
      return `must be ${FORMATS[issue.format] ?? 'a name such as call.ended'}`
    case 'too_small':
      return bound('at least', issue.origin, Number(issue.minimum))
    case 'too_big':
      return bound('at most', issue.origin, Number(issue.maximum))
    default:
      return NO_WAY
  }
}

const NO_WAY = 'is not in order'

/** For a union whose forms differ by a field: the values allowed there. */
function oneOf(issue: Issue): string {
  const options = 'options' in issue && Array.isArray(issue['options']) ? issue['options'].join(', ') : ''
  return options === '' ? NO_WAY : `must be one of ${options}`
}

function bound(side: string, origin: string, limit: number): string {
  if (origin === 'string') {
    return side === 'at least' && limit === 1 ? 'must not be empty' : `must have ${side} ${limit} characters`
  }
  return origin === 'array' ? `must have ${side} ${limit} entries` : `must be ${side} ${limit}`
}
