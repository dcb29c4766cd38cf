import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { findCall } from '../../calls/index.ts'
import { DEFAULT_COUNTRY, findTenant, numberProblem, readNumber } from '../../directory/index.ts'
import {
  type Accounts,
  type Admission,
  attemptsOf,
  cloudPost,
  findMessage,
  isFree,
  listMessages,
  type MessageFilter,
  type MessageRow,
  type NewMessage,
  type Outbound,
  OWN_ENDPOINT,
  readCloudPost,
} from '../../outbound/index.ts'
import { fail } from '../../platform/errors.ts'
import { createLastKnown, type Database } from '../../platform/postgres/index.ts'
import { maySee, tenantOf, tenantsOf } from '../auth.ts'
import { pageOf, paging, readCursor } from '../cursor.ts'
import * as schemas from '../schemas/index.ts'

/** Maximum size in bytes: a body of 256 kB and the other fields. */
const MESSAGE_LIMIT = 300 * 1024

export interface MessageRoutesOptions {
  database: Database
  outbound: Pick<Outbound, 'enqueue' | 'retry' | 'cancel' | 'redrive' | 'pause' | 'resume' | 'stats'>
  /** Refuses a message that can never be sent. */
  admit: Admission
  accounts: Pick<Accounts, 'findByPhone' | 'main'>
}

interface MessageQuery extends Pick<MessageFilter, 'channel' | 'since' | 'status'> {
  tenant?: string | undefined
  call?: string | undefined
  limit: number
  cursor?: string | undefined
}

export const messageId = z.guid('must be the id of a message')
const params = z.object({ id: messageId })
/** The filter of a list or a redrive. */
export const messageFilter = {
  tenant: z.string().max(64).optional(),
  channel: schemas.channel.optional(),
  call: z.string().max(200).optional(),
  since: z.iso
    .datetime({ offset: true })
    .transform((moment) => new Date(moment))
    .optional(),
}
const place = z.tuple([z.iso.datetime(), messageId])
/** An id that other programs keep as a number. */
const foreignId = z.union([z.string().max(64), z.int()]).transform(String)
const newMessageFields = z.strictObject({
  tenant: z.string().max(64).optional(),
  instanceId: z.string().optional(),
  // a gate's commands are made by decisions and by `POST /api/gates/:id/open`, which write down who wanted it
  channel: schemas.channel
    .exclude(['gate'], 'must be whatsapp, twilio or webhook; POST /api/gates/:id/open opens a gate')
    .optional()
    .meta({ description: 'whatsapp where phone names the recipient.' }),
  to: z
    .string()
    .optional()
    .meta({
      description:
        'whatsapp, twilio: a telephone number in E.164, or as the country of the tenant writes it. webhook: the id of an endpoint of the tenant, environment, or a URL if the tenant has freeWebhooks.',
      examples: [
        '+5511987654321',
        '3b0f6c1e-58a4-4a6e-9f0c-0d6b1f2a7c11',
        'environment',
        'https://example.org/hook',
      ],
    }),
  body: z
    .unknown()
    .optional()
    .meta({
      description:
        'By channel; a webhook to a URL has any JSON, or a text that is sent as it is. whatsapp: type text, buttons, template, audio, cloud (any message of the Cloud API) or read. twilio: text or buttons. webhook: an event of type, timestamp and data. One example each.',
      examples: [
        { type: 'text', text: 'Sua encomenda chegou.' },
        { type: 'buttons', text: 'Posso abrir?', buttons: [{ id: 'yes', title: 'Sim' }] },
        { parcel: 17, unit: '101' },
        { type: 'parcel.arrived', timestamp: '2026-11-21T15:00:00Z', data: { unit: '101' } },
      ],
    }),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta({
      description: 'Of a webhook to a URL: sent with it.',
      examples: [{ api_access_token: 'secret' }],
    }),
  // documented here; the queue checks it with everything else
  priority: z
    .number()
    .meta({ type: 'integer', minimum: 0, maximum: 10, description: 'Higher goes first.' })
    .optional(),
  maxRetries: z.number().meta({ type: 'integer', minimum: 0, maximum: 100 }).optional(),
  retryDelayMs: z.number().meta({ type: 'integer', minimum: 0, maximum: 86_400_000 }).optional(),
  expiresAt: z.iso
    .datetime({ offset: true })
    .transform((moment) => new Date(moment))
    .optional(),
  idempotencyKey: z.string().optional(),
  callId: z.string().optional(),
  phone: z.string().optional().meta({ description: 'Instead of to.' }),
  message: z.string().optional().meta({ description: 'A text, instead of body.' }),
  tenant_id: foreignId.optional().meta({ description: 'Instead of tenant.' }),
  instance_id: foreignId.optional().meta({ description: 'Instead of instanceId.' }),
  max_retries: z.number().optional().meta({ type: 'integer', description: 'Instead of maxRetries.' }),
  retry_delay: z.number().optional().meta({ description: 'Seconds, instead of retryDelayMs.' }),
  use_queue: z
    .boolean()
    .optional()
    .meta({ description: 'false: the message is sent at once, before the answer.' }),
  fallback: z.enum(['direct', 'none']).optional().meta({
    description:
      'While the database is away: direct (default) sends the message at once, none refuses it with DATABASE_UNREACHABLE.',
  }),
})

/** Names that programs for other queues use, beside ours. */
const OTHER_NAMES = {
  phone: 'to',
  message: 'body',
  tenant_id: 'tenant',
  instance_id: 'instanceId',
  max_retries: 'maxRetries',
  retry_delay: 'retryDelayMs',
} as const

const newMessage = newMessageFields.superRefine((given, context) => {
  const problem = (path: string, message: string) =>
    context.addIssue({ code: 'custom', path: [path], message })
  for (const [other, own] of Object.entries(OTHER_NAMES)) {
    const has = [other, own].filter((name) => given[name as keyof typeof given] !== undefined)
    if (has.length === 2) problem(other, `means the same as ${own}`)
    if (has.length === 0 && (own === 'to' || own === 'body')) problem(own, 'is missing')
  }
  if (given.channel === undefined && given.phone === undefined) problem('channel', 'is missing')
  if (given.use_queue === false && given.fallback === 'none')
    problem('fallback', 'forbids what use_queue asks')
  const { body } = given
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
  if (body !== undefined && !isObject && !goesToUrl(given)) problem('body', 'must be an object')
})

const goesToUrl = ({ channel, to }: z.output<typeof newMessageFields>) =>
  channel !== undefined && to !== undefined && isFree({ channel, to })

/** The message in our own names. */
function inOwnNames({
  phone,
  message,
  tenant_id,
  instance_id,
  max_retries,
  retry_delay,
  use_queue: _,
  fallback: __,
  ...own
}: z.output<typeof newMessage>) {
  const { body } = own
  return {
    ...own,
    ...(goesToUrl(own) && { body: typeof body === 'string' ? { text: body } : { json: body } }),
    ...(phone !== undefined && { to: phone, channel: own.channel ?? ('whatsapp' as const) }),
    ...(message !== undefined && { body: { type: 'text', text: message } }),
    ...(tenant_id !== undefined && { tenant: tenant_id }),
    ...(instance_id !== undefined && { instanceId: instance_id }),
    ...(max_retries !== undefined && { maxRetries: max_retries }),
    ...(retry_delay !== undefined && { retryDelayMs: Math.round(retry_delay * 1000) }),
  }
}

/** `/api/messages`: outgoing messages and their results. */
export async function messageRoutes(
  instance: FastifyInstance,
  { database, outbound, admit, accounts }: MessageRoutesOptions,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  /** A foreign message looks like one that does not exist. */
  const read = async (request: FastifyRequest, id: string): Promise<MessageRow> => {
    const message = await findMessage(database, id)
    if (!message || !maySee(request, message.tenantId)) throw fail('MESSAGE_UNKNOWN', { messageId: id })
    return message
  }

  const lastTenant = createLastKnown<Awaited<ReturnType<typeof findTenant>>>()

  /** A telephone number in E.164; ids that messengers give to people stay as they are. */
  const personOf = async (tenantId: string, to: string): Promise<string> => {
    if (to.includes('@') || /^[A-Z]{2}\./.test(to)) return to
    const { country = DEFAULT_COUNTRY } =
      (await lastTenant(tenantId, () => findTenant(database, tenantId))) ?? {}
    const number = readNumber(to, country)
    if (number !== undefined) return to.startsWith('whatsapp:') ? `whatsapp:${number}` : number
    const problems = [`to: ${numberProblem(country)}`]
    throw fail('MESSAGE_INVALID', { problem: problems[0], problems })
  }

  /**
   * What a message may name: the endpoint of the environment is the operator's, and a recording goes with its own tenant only.
   */
  const demandOwn = async ({ caller }: FastifyRequest, message: NewMessage): Promise<void> => {
    const { tenantId, channel, to, body, callId } = message
    if (caller!.tenantId !== null && channel === 'webhook' && to === OWN_ENDPOINT)
      throw fail('ENDPOINT_UNKNOWN', { endpoint: to })
    const named = [callId, channel === 'whatsapp' ? body['callId'] : undefined]
    for (const id of named) {
      if (typeof id !== 'string' || !z.guid().safeParse(id).success) continue
      const call = await findCall(database, id)
      if (call && call.tenantId !== tenantId) throw fail('CALL_UNKNOWN', { callId: id })
    }
  }

  app.post(
    '/api/messages',
    {
      config: { scope: 'operate' },
      bodyLimit: MESSAGE_LIMIT,
      schema: {
        summary:
          'Enqueues a message, or sends it at once; a second one with the same idempotency key is not created',
        body: newMessage,
        response: { 202: schemas.enqueued },
      },
    },
    async (request, reply) => {
      const { tenant, ...body } = inOwnNames(request.body)
      const tenantId = tenantOf(request, tenant)
      const isPerson = body.channel === 'whatsapp' || body.channel === 'twilio'
      const to =
        isPerson && (body.body as NewMessage['body'])['type'] !== 'read'
          ? await personOf(tenantId, body.to!)
          : body.to
      const message = { ...body, to, tenantId } as NewMessage
      await demandOwn(request, message)
      await admit(message)
      const { use_queue: useQueue = true, fallback = 'direct' } = request.body
      const { direct, ...enqueued } = await outbound.enqueue(message, {
        useQueue,
        ...(fallback === 'direct' && message.channel !== 'gate' && { fallback }),
      })
      return reply.status(202).send({
        ...enqueued,
        success: enqueued.status !== 'failed',
        via_queue: direct === undefined,
        ...(direct && { duplicate_possible: direct.duplicatePossible }),
        message_id: enqueued.id,
      })
    },
  )

  app.post(
    // as v15.0
    '/:version(^v\\d{1,3}\\.\\d{1,3}$)/:phone/messages',
    {
      config: { scope: 'operate', bareKey: true },
      bodyLimit: MESSAGE_LIMIT,
      schema: {
        summary:
          "The Cloud API's and UnoAPI's way to send: enqueues a message by the account of this phone; while the database is away sends it at once",
        params: z.object({ version: z.string(), phone: z.string().min(1).max(100) }),
        body: cloudPost,
        response: { 200: schemas.cloudSent },
      },
    },
    async (request, reply) => {
      const { phone } = request.params
      const account = await accounts.findByPhone(request.caller!.tenantId ?? undefined, phone)
      if (!account)
        throw fail('INSTANCE_UNKNOWN', {
          tenant: tenantOf(request, undefined),
          carrier: 'whatsapp',
          instance: phone,
        })
      const { tenantId, id: instanceId } = account
      const post = readCloudPost(request.body)
      const isMark = post.body['type'] === 'read'
      const to = isMark ? post.to : await personOf(tenantId, post.to)
      const message: NewMessage = { tenantId, instanceId, channel: 'whatsapp', to, body: post.body }
      await admit(message)
      const { id, status, direct } = await outbound.enqueue(message, { fallback: 'direct' })
      const success = status !== 'failed'
      const past = direct && { via_queue: false, duplicate_possible: direct.duplicatePossible }
      return reply.send(
        isMark
          ? { success, ...past }
          : {
              messaging_product: 'whatsapp' as const,
              contacts: [{ input: post.to, wa_id: to.replace(/^\+/, '') }],
              messages: [{ id }],
              ...(past && { success, ...past }),
            },
      )
    },
  )

  app.get(
    '/api/messages',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Messages, newest first',
        querystring: z.object({ ...messageFilter, status: schemas.messageStatus.optional(), ...paging }),
        response: { 200: schemas.pageSchema(schemas.message) },
      },
    },
    (request) => pageMessages(database, request, request.query),
  )

  app.get(
    '/api/messages/:id',
    {
      config: { scope: 'read' },
      schema: { summary: 'A message with its attempts', params, response: { 200: schemas.messageView } },
    },
    async (request) => {
      const message = await read(request, request.params.id)
      return { message: messageOf(message), attempts: await attemptsOf(database, message.id) }
    },
  )

  for (const action of ['retry', 'cancel'] as const) {
    app.post(
      `/api/messages/:id/${action}`,
      {
        config: { scope: 'operate' },
        schema: {
          summary:
            action === 'retry' ? 'Sends it once more, from the beginning' : 'Takes it back, while it can be',
          params,
          response: { 200: schemas.changedMessage },
        },
      },
      async (request) => {
        const { id, tenantId } = await read(request, request.params.id)
        const changed = await outbound[action](id)
        request.log.info(
          { message_id: id, tenant: tenantId, by: request.caller?.name, action },
          'a message was changed',
        )
        return changed
      },
    )
  }
}

/** A page of the messages that the caller may see, newest first. Errors: TENANT_UNKNOWN, CURSOR_INVALID. */
export async function pageMessages(
  database: Database,
  request: FastifyRequest,
  { tenant, call, limit, cursor, ...filter }: MessageQuery,
) {
  const [createdAt, id] = readCursor(cursor, place) ?? []
  const rows = await listMessages(database, {
    ...filter,
    tenantId: tenantsOf(request, tenant),
    callId: call,
    limit: limit + 1,
    before: createdAt && id ? { createdAt: new Date(createdAt), id } : undefined,
  })
  return pageOf(rows.map(messageOf), limit, (last) => [last.createdAt, last.id])
}

function messageOf(message: MessageRow) {
  const { type } = message.body
  return {
    ...message,
    type: typeof type === 'string' ? type : null,
  }
}
