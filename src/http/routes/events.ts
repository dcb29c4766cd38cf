import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type Calls, LEVELS, LEVELS_MS, type Levels, levelsOf } from '../../calls/index.ts'
import type { Streams, Subscription } from '../../cluster/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Logger } from '../../platform/log.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { createEventClient, type EventClient } from '../events/client.ts'
import { createEventFeed } from '../events/feed.ts'
import { textReply } from '../schemas/index.ts'
import { callId } from './calls.ts'

/** Maximum number of streams of a node, and of one key: a tenant's pages must not take those of the others. */
const MAX_STREAMS = 2000
const KEY_STREAMS = 200
/** Interval of heartbeats in ms; proxies close a connection that is silent for a minute. */
const HEARTBEAT_MS = 15_000

export interface EventRoutesOptions {
  database: Database
  log: Logger
  /** The calls of this node, for the levels of their legs. */
  calls: Pick<Calls, 'find' | 'list'> | undefined
  /** For the levels of other processes' calls; undefined if there are none. */
  streams?: Pick<Streams, 'subscribe'>
  /** ms; HEARTBEAT_MS unless given. */
  heartbeatMs?: number
}

const place = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const query = z.object({
  /** Only events of this call. */
  call: callId.optional(),
  /** Same as Last-Event-ID, for a first connection. */
  after: place.optional(),
  levels: z.stringbool().default(false),
})

/** `GET /api/events`; its form is in src/http/schemas/calls.ts. */
export async function eventRoutes(
  instance: FastifyInstance,
  { database, log, calls, streams, heartbeatMs = HEARTBEAT_MS }: EventRoutesOptions,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()
  const feed = createEventFeed({ database, log })
  const clients = new Set<EventClient>()

  const beating = setInterval(() => {
    for (const client of clients) client.beat()
  }, heartbeatMs)
  /** Levels of other processes' calls, by process; subscribed to while there are clients. */
  const elsewhere = new Map<string, Levels[]>()
  let others: Subscription | undefined
  const measuring = setInterval(() => {
    const wanted = [...clients].filter((client) => client.wantsLevels)
    if (wanted.length === 0) {
      others?.close()
      others = undefined
      elsewhere.clear()
      return
    }
    others ??= streams?.subscribe({
      name: LEVELS,
      input: null,
      onMessages: (messages, instance) => elsewhere.set(instance, JSON.parse(messages.at(-1)!)),
      lost: (instance) => elsewhere.delete(instance),
    })
    const measured = [...(calls ? levelsOf(calls) : []), ...[...elsewhere.values()].flat()]
    for (const client of wanted) client.levels(measured)
  }, LEVELS_MS)

  app.addHook('preClose', async () => {
    clearInterval(beating)
    clearInterval(measuring)
    others?.close()
    feed.close()
    for (const client of clients) client.close()
  })

  app.get(
    '/api/events',
    {
      // a HEAD stream would be endless and empty
      exposeHeadRoute: false,
      config: { scope: 'read' },
      schema: {
        summary: 'Events of the calls, as server-sent events',
        querystring: query,
        headers: z.object({ 'last-event-id': place.optional() }),
        response: { 200: textReply('The stream', 'text/event-stream') },
      },
    },
    async (request, reply) => {
      if (clients.size >= MAX_STREAMS) throw fail('STREAMS_EXHAUSTED', { max: MAX_STREAMS })
      const caller = request.caller!
      const own = [...clients].filter((client) => client.keyId === caller.id).length
      if (own >= KEY_STREAMS && caller.tenantId !== null)
        throw fail('STREAMS_EXHAUSTED', { max: KEY_STREAMS })
      const { call, after, levels } = request.query
      reply.hijack()
      const client = createEventClient({
        response: open(reply.raw, reply.getHeaders(), request.id),
        database,
        feed,
        log,
        keyId: caller.id,
        tenantId: caller.tenantId,
        callId: call,
        after: request.headers['last-event-id'] ?? after,
        wantsLevels: levels,
      })
      clients.add(client)
      const letGo = instance.access.hold(caller, client.close)
      reply.raw.once('close', () => {
        letGo()
        clients.delete(client)
      })
    },
  )
}

function open(response: ServerResponse, headers: NodeJS.Dict<unknown>, requestId: string): ServerResponse {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value as string)
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-request-id': requestId,
    // otherwise nginx buffers the stream
    'x-accel-buffering': 'no',
  })
  return response
}
