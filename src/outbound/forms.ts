import { z } from 'zod'
import { isReservedHeader } from '../platform/http-client/index.ts'
import { SEALED } from '../platform/secrets.ts'
import { ENDPOINT_FORMATS, ENDPOINT_KINDS, MESSAGE_EVENTS } from './sql/endpoints.ts'

/** Events that endpoints can subscribe to. */
const EVENT_TYPES = [
  'call.started',
  'call.decided',
  'call.ended',
  'resident.wanted',
  'gate.failed',
  'endpoint.paused',
  'endpoint.disabled',
  // these only where an endpoint names them: they are many, and message.received has what residents write
  ...MESSAGE_EVENTS,
] as const
export type EventType = (typeof EVENT_TYPES)[number]

export const webhookUrl = z
  .string()
  .max(2000)
  .refine(
    (value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''),
    'must start with http:// or https://',
  )
  .refine((value) => !/^[^/]*\/\/[^/]*@/.test(value), 'must not hold a user or password')

/** What encrypted ones begin with would be read as such. */
const secretText = z.string().refine((value) => !value.startsWith(SEALED), `must not begin with ${SEALED}`)
const headerValue = secretText.regex(/^[\x20-\x7e]{0,2000}$/, 'must be one line of printable characters')
const HEADER_NAME = /^[A-Za-z0-9_-]{1,100}$/
const HEADERS = 20
const headers = z
  .record(
    z
      .string()
      .regex(HEADER_NAME, 'must be letters, digits, - and _')
      .refine((name) => !isReservedHeader(name) && !/^authorization$/i.test(name), 'is set by the service'),
    headerValue,
  )
  .refine((all) => Object.keys(all).length <= HEADERS, `must be at most ${HEADERS} headers`)

/** Why a webhook to a URL cannot have these headers; undefined if it can. Unlike an endpoint it may set its content type and its login. */
export function headerRefusal(
  headers: Readonly<Record<string, string>>,
): { header: string; reason: string } | undefined {
  const names = Object.keys(headers)
  const seen = new Set<string>()
  for (const name of names) {
    const lower = name.toLowerCase()
    const problem = !HEADER_NAME.test(name)
      ? 'its name must be letters, digits, - and _'
      : lower !== 'content-type' && isReservedHeader(name)
        ? 'it is set by the service'
        : seen.has(lower)
          ? 'it is there twice'
          : headerValue.safeParse(headers[name]).error?.issues[0]?.message
    if (problem !== undefined) return { header: name.slice(0, 100), reason: problem }
    seen.add(lower)
  }
  if (names.length > HEADERS) return { header: names[HEADERS]!, reason: `more than ${HEADERS} headers` }
  return undefined
}

/** A misspelt name would never get an event. */
const eventType = z.enum(EVENT_TYPES, `must be one of ${EVENT_TYPES.join(', ')}`)

const endpoint = {
  url: webhookUrl,
  events: z.array(eventType).max(50),
  token: headerValue.min(1),
  headers,
  enabled: z.boolean(),
  retry4xx: z.boolean().meta({
    description:
      'Whether the statuses 4xx are retried (default true): 400, 413 and 422 twice, others as often as 5xx. 410 always disables the endpoint.',
  }),
}

const format = z.enum(ENDPOINT_FORMATS).meta({
  description:
    'porteiro (default): `{type, timestamp, data}`. cloud: as the Cloud API posts webhooks, with the events `message.*` only (all if none is named), about WhatsApp accounts. It cannot change.',
})

/** Why an endpoint of this format cannot have these events; undefined if it can. */
export const eventsRefusal = (
  format: (typeof ENDPOINT_FORMATS)[number] | undefined,
  events: readonly string[] = [],
): string | undefined =>
  format === 'cloud' && events.some((type) => !type.startsWith('message.'))
    ? 'events: the format cloud has events message.* only'
    : undefined

/** Input of createEndpoint. */
export const endpointInput = z
  .strictObject({ ...endpoint, kind: z.enum(ENDPOINT_KINDS), format })
  .partial()
  .required({ url: true })
  .refine(
    ({ kind, token }) => (kind === 'token') === (token !== undefined),
    'token belongs to kind "token", which needs it',
  )

/** Input of updateEndpoint; the kind cannot change. */
export const endpointChange = z.strictObject(endpoint).partial()

/** ms for which the old secret signs beside the new one: by default a day, at most a month. */
export const OVERLAP_MS = 86_400_000
export const MAX_OVERLAP_MS = 2_592_000_000
export const rotation = z.strictObject({
  overlapMs: z.number().int().min(0).max(MAX_OVERLAP_MS).default(OVERLAP_MS),
})

const template = z.strictObject({ name: z.string().min(1), language: z.string().min(2) })
const whatsappSettings = z.strictObject({
  /** The API up to its version. */
  url: webhookUrl.transform((value) => value.replace(/\/+$/, '')),
  /** Id of the phone number; for UnoAPI the session. */
  phoneId: z.string().regex(/^[\w.+-]{1,100}$/),
  /** With one text parameter: for persons who wrote last more than a day ago. */
  template: template.optional(),
  /** The same with two quick replies: yes and no. */
  questionTemplate: template.optional(),
  /** UnoAPI: send real buttons, which many phones do not show, instead of numbered lines. */
  buttons: z.boolean().optional(),
  /** Cloud API: download the files of links and upload them, instead of letting Meta fetch the link. */
  uploads: z.boolean().optional(),
})
const whatsappSecrets = z.strictObject({
  token: headerValue.min(1),
  appSecret: secretText.min(1).optional(),
  verifyToken: secretText.min(1).optional(),
})
const twilioSettings = z.strictObject({
  url: webhookUrl.default('https://api.twilio.com').transform((value) => value.replace(/\/+$/, '')),
  accountSid: z.string().regex(/^\w{1,64}$/),
  /** Number, whatsapp:number, or a messaging service (MG…). */
  from: z.string().regex(/^(whatsapp:)?\+?[\w]{1,64}$/),
})
const twilioSecrets = z.strictObject({ authToken: headerValue.min(1) })

/**
 * Stored settings and secrets of an instance, by channel. UnoAPI's `verifyToken` is the token it sends with each post
 * to us.
 */
export const INSTANCE_FORMS = {
  whatsapp: { settings: whatsappSettings, secrets: whatsappSecrets },
  unoapi: { settings: whatsappSettings, secrets: whatsappSecrets },
  twilio: { settings: twilioSettings, secrets: twilioSecrets },
} as const

const instanceId = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be letters, digits and . _ -')

/** Input of saveInstance. Secrets that are left out stay as they are. */
export const instanceInput = z.discriminatedUnion('channel', [
  z.strictObject({
    id: instanceId,
    channel: z.literal('whatsapp'),
    settings: whatsappSettings,
    secrets: whatsappSecrets.partial().default({}),
    enabled: z.boolean().optional(),
  }),
  z.strictObject({
    id: instanceId,
    channel: z.literal('unoapi'),
    settings: whatsappSettings,
    secrets: whatsappSecrets.partial().default({}),
    enabled: z.boolean().optional(),
  }),
  z.strictObject({
    id: instanceId,
    channel: z.literal('twilio'),
    settings: twilioSettings,
    secrets: twilioSecrets.partial().default({}),
    enabled: z.boolean().optional(),
  }),
])

/** Printable, as AMQP's short strings. */
const amqpName = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable characters without spaces')

/** Input of saveGate. */
export const gateInput = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('amqp'),
    exchange: amqpName,
    routingKey: amqpName,
    enabled: z.boolean().optional(),
    /** Whether the controller answers each command. */
    acknowledges: z.boolean().optional(),
  }),
  z.strictObject({ kind: z.literal('webhook'), url: webhookUrl, enabled: z.boolean().optional() }),
])

export type WhatsAppSettings = z.output<typeof whatsappSettings>
export type WhatsAppSecrets = z.output<typeof whatsappSecrets>
export type TwilioSettings = z.output<typeof twilioSettings>
export type TwilioSecrets = z.output<typeof twilioSecrets>
