import { z } from 'zod'
import { channel, facts, messageStatus, moment } from './common.ts'

/** Why an attempt failed; docs/errors.md lists the codes, `details` has what the message names. */
export const failure = z
  .object({
    code: z.string(),
    message: z.string(),
    details: facts.optional(),
    /** HTTP status, where there was one. */
    status: z.number().optional(),
  })
  .meta({ id: 'Failure' })

export const message = z
  .object({
    id: z.string(),
    tenantId: z.string(),
    instanceId: z.string(),
    channel,
    to: z.string(),
    type: z.string().nullable().meta({
      description:
        'Of the body: of a webhook the type of its event, as call.ended; else as text or gate.open.',
    }),
    body: facts,
    priority: z.number(),
    status: messageStatus,
    maxRetries: z.number(),
    retryDelayMs: z.number(),
    /** Attempts so far. */
    attempts: z.number(),
    expiresAt: moment.nullable(),
    idempotencyKey: z.string().nullable(),
    callId: z.string().nullable(),
    providerId: z.string().nullable(),
    createdAt: moment,
    updatedAt: moment.nullable(),
    nextAttemptAt: moment.nullable(),
    sentAt: moment.nullable(),
    deliveredAt: moment.nullable(),
    readAt: moment.nullable(),
    /** Of the last attempt. */
    lastError: failure.nullable(),
  })
  .meta({ id: 'Message' })

export const attempt = z
  .object({
    number: z.number(),
    startedAt: moment,
    endedAt: moment.nullable(),
    node: z.string(),
    /** sent, retrying, failed, expired, cancelled or released; null while it is under way. */
    outcome: z.string().nullable(),
    httpStatus: z.number().nullable(),
    errorCode: z.string().nullable(),
    error: z.string().nullable(),
    /** What `error` names; null where there is nothing to name, or where an older version made the attempt. */
    errorDetails: facts.nullable(),
    retryAfterMs: z.number().nullable(),
  })
  .meta({ id: 'Attempt' })

export const messageView = z.object({ message, attempts: z.array(attempt) }).meta({ id: 'MessageView' })
/** `duplicate`: the idempotency key was known, and this is the first message with it. */
export const enqueued = z.object({
  id: z.string(),
  status: messageStatus,
  duplicate: z.boolean(),
  /** False only for a message that was sent at once, and refused for good. */
  success: z.boolean(),
  /** False: it was sent at once, or waits on the disk of this process for the database. */
  via_queue: z.boolean(),
  /** Only with `via_queue` false: the receiver may get a second copy. */
  duplicate_possible: z.boolean().optional(),
  /** The same as `id`. */
  message_id: z.string(),
})
/** Only of a message that was sent past the queue, because the database is away. */
const pastQueue = {
  via_queue: z.boolean().optional(),
  /** The receiver may get a second copy. */
  duplicate_possible: z.boolean().optional(),
}
/** The Cloud API's answer to a message; to the mark of a read one it is `success`. */
export const cloudSent = z.union([
  z.object({
    messaging_product: z.literal('whatsapp'),
    contacts: z.array(z.object({ input: z.string(), wa_id: z.string() })),
    messages: z.array(z.object({ id: z.string() })),
    success: z.boolean().optional(),
    ...pastQueue,
  }),
  z.object({ success: z.boolean(), ...pastQueue }),
])
/** The Cloud API's description of a file; the provider may leave out what it does not know. */
export const cloudMedia = z.object({
  messaging_product: z.literal('whatsapp'),
  /** Of this service, for the same key. */
  url: z.string(),
  mime_type: z.string().optional(),
  sha256: z.string().optional(),
  file_size: z.number().optional(),
  id: z.string(),
})
export const changedMessage = z.object({ id: z.string(), status: messageStatus })
const owed = {
  size: z.number(),
  waiting: z.number(),
  processing: z.number(),
  retrying: z.number(),
  failed: z.number(),
  expired: z.number(),
  cancelled: z.number(),
  /** Within the last hour. */
  sent: z.number(),
  died: z.number(),
}

/** Messages below priority 10 that it covers stay in the queue, are not tried, and still expire. */
export const queuePause = z
  .object({
    /** Null: everybody's messages. */
    tenantId: z.string().nullable(),
    /** By a key of the tenant itself, which may lift it; what was put above a tenant it may not. */
    byTenant: z.boolean(),
    /** Name of the key, or of the command line; hidden (null) from a key for one tenant unless it is the tenant's own. */
    by: z.string().nullable(),
    since: moment,
  })
  .meta({ id: 'QueuePause' })
/** Those that hold now what was asked about; of all tenants, where none was named. */
export const queuePauses = z.object({ pauses: z.array(queuePause) })

/** Data about the whole service is omitted for a key for one tenant: null, or an empty list. */
export const queueStatistics = z
  .object({
    /** Ended attempts and dead messages of all recorded workers. */
    processed: z.number().nullable(),
    failed: z.number().nullable(),
    /** Messages that are owed: waiting, retrying or processing. */
    size: z.number(),
    processing: z.number(),
    /** s that the oldest one which waits has waited; null where none does. */
    oldestSeconds: z.number().nullable(),
    queues: z.array(
      z
        .object({ name: z.string(), dead: z.number(), ...owed })
        .partial()
        .required({ name: true, dead: true }),
    ),
    tenants: z.array(z.object({ tenantId: z.string(), ...owed })),
    priorities: z.array(z.object({ priority: z.number(), ...owed })),
    workers: z.array(
      z.object({
        id: z.string(),
        node: z.string(),
        role: z.string(),
        startedAt: moment,
        seenAt: moment,
        processed: z.number(),
        failed: z.number(),
        processing: z.number(),
        waiting: z.number(),
      }),
    ),
    pauses: z.array(queuePause),
  })
  .meta({ id: 'QueueStatistics' })
export const redriven = z.object({ redriven: z.number() })
