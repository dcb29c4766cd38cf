import { z } from 'zod'
import { facts, listOf, moment } from './common.ts'

export const endpoint = z
  .object({
    id: z.string(),
    tenantId: z.string(),
    url: z.string(),
    /** Empty: all but `message.*`. */
    events: z.array(z.string()),
    kind: z.enum(['standard', 'token']),
    /** porteiro: `{type, timestamp, data}`. cloud: as the Cloud API posts webhooks. */
    format: z.enum(['porteiro', 'cloud']),
    /** Their names; the values never leave. */
    headers: z.array(z.string()),
    enabled: z.boolean(),
    /** Statuses 4xx are retried; 400, 413 and 422 twice. */
    retry4xx: z.boolean(),
    disabledReason: z.string().nullable(),
    /** Those that sign now; the one without an end is the present one. */
    secrets: z.array(z.object({ createdAt: z.string(), expiresAt: z.string().nullable() })),
    /** In a row. */
    failures: z.number(),
    pausedUntil: moment.nullable(),
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: 'Endpoint' })
export const environmentEndpoint = z
  .object({
    /** As messages name it. */
    id: z.literal('environment'),
    /** Without user, password and query. */
    url: z.string(),
    /** WEBHOOK_TOKEN goes along. */
    token: z.boolean(),
    /** In a row. */
    failures: z.number(),
    pausedUntil: moment.nullable(),
  })
  .meta({
    id: 'EnvironmentEndpoint',
    description:
      'WEBHOOK_URL: it gets every event but `message.*` of every tenant and can only be changed in the environment.',
  })
/** `environment` is null where WEBHOOK_URL is not set, and for a key of a tenant other than the main one. */
export const endpoints = listOf(endpoint).extend({ environment: environmentEndpoint.nullable() })
/** `secret` is shown in this one answer and never again; null for an endpoint with a token. */
export const createdEndpoint = z
  .object({ endpoint, secret: z.string().nullable() })
  .meta({ id: 'CreatedEndpoint' })

/** Only for keys of the scope admin. */
export const webhookSecrets = z
  .object({
    secrets: z.array(z.object({ secret: z.string(), createdAt: moment, expiresAt: moment.nullable() })),
  })
  .meta({ id: 'WebhookSecrets' })

export const instance = z
  .object({
    tenantId: z.string(),
    id: z.string(),
    channel: z.enum(['whatsapp', 'unoapi', 'twilio']),
    settings: facts,
    /** Their names. */
    secrets: z.array(z.string()),
    enabled: z.boolean(),
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: 'Instance' })

export const gate = z
  .object({
    tenantId: z.string(),
    /** Id of the extension, or `default` for all that have none of their own. */
    id: z.string(),
    kind: z.enum(['amqp', 'webhook']),
    exchange: z.string().nullable(),
    routingKey: z.string().nullable(),
    url: z.string().nullable(),
    enabled: z.boolean(),
    /** False for an AMQP gate that an older version wrote, until it is saved again. */
    signed: z.boolean(),
    oldSecretUntil: moment
      .nullable()
      .describe('The secret before the present one signs beside it until then.'),
    /** Whether its controller answers each command; a webhook does. */
    acknowledges: z.boolean(),
    createdAt: moment,
    updatedAt: moment,
  })
  .meta({ id: 'Gate' })
/** `secret` only where this request made one. */
export const savedGate = z.object({ gate, secret: z.string().nullable() }).meta({ id: 'SavedGate' })

/** `id` is the command's, and `callId` in its audit; `messageId` that of the message that carries it. */
export const openedGate = z
  .object({ id: z.string(), messageId: z.string(), gate: z.string(), expiresAt: moment })
  .meta({ id: 'OpenedGate' })

export const gateCommand = z
  .object({
    /** As the gate gets it. */
    id: z.string(),
    /** Null when it was opened by hand. */
    callId: z.string().nullable(),
    tenantId: z.string(),
    gateId: z.string(),
    unitNumber: z.string().nullable(),
    by: z.string(),
    via: z.string(),
    decidedAt: moment,
    expiresAt: moment,
    status: z.enum(['wanted', 'sent', 'acknowledged', 'refused']),
    sentAt: moment.nullable(),
    acknowledgedAt: moment.nullable(),
    /** When it was reported that the gate had not opened; it may have since. */
    failedAt: moment.nullable(),
    audit: z.array(facts),
  })
  .meta({ id: 'GateCommand' })
