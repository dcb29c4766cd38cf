import '@fastify/websocket'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { WebSocket } from 'ws'
import { z } from 'zod'
import { eventsOf, findCall, listCalls } from '../../calls/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { withTimeout } from '../../platform/time.ts'
import { type Caller, mayOperate } from '../auth.ts'
import { inspectorMessageRoutes } from './messages.ts'
import { machineOfActor, replay } from './replay.ts'
import { comeAgain, servePage, serveStately } from './session.ts'
import { createTickets } from './tickets.ts'
import type { Views } from './views.ts'

/** A viewer must reconnect after this many ms, even while the database with the keys is down. */
const RENEW_MS = 15 * 60_000
/** Number of ended calls in the list. */
const LISTED = 50
/** Maximum number of events in a replay. */
const STEPS = 5000
/** Limit in ms for writing the latest events before a response. */
const FLUSH_MS = 1000

const WEB = join(import.meta.dirname, '..', '..', 'web', 'inspector')

/** URL of Stately's own viewer, which needs internet access. */
const STATELY = 'https://stately.ai'
const policy = (frames: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    `frame-src ${frames}`,
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')

interface InspectorRoutesOptions {
  views: Views
  database: Database
  /** The path prefix under which a proxy serves the API; empty: none. */
  basePath?: string
  /** Writes pending events, so that a replay is up to date. */
  flush: () => Promise<void>
}

const callId = z.guid('must be the UUID of a call').transform((id) => id.toLowerCase())
const moment = z.date()
const endedCall = z.object({
  id: z.string(),
  unitNumber: z.string().nullable(),
  gate: z.string().nullable(),
  startedAt: moment,
  endedAt: moment.nullable(),
  outcome: z.string().nullable(),
})
const step = z.object({
  seq: z.number(),
  at: moment,
  kind: z.string(),
  leg: z.enum(['visitor', 'resident']).nullable(),
  data: z.unknown(),
  states: z.record(z.string(), z.string()),
})

/**
 * The inspector: its page at `GET /inspector`, its feed as a WebSocket at `/api/inspector`, the replay of ended calls
 * and of deliveries, and the same feed in the protocol of `@statelyai/inspect` at `/inspector/stately`. The files of the
 * page come with those of the other one. `@fastify/websocket` must be registered before.
 */
export async function inspectorRoutes(
  instance: FastifyInstance,
  options: InspectorRoutesOptions,
): Promise<void> {
  const app = instance.withTypeProvider<ZodTypeProvider>()
  const { views, database, flush, basePath = '' } = options
  const tickets = createTickets()

  const hold = (socket: WebSocket, caller: Caller) => {
    renew(socket)
    const letGo = instance.access.hold(caller, () => socket.close(4401, 'KEY_INVALID'))
    socket.once('close', letGo)
  }

  const admit = async () => views.admit()

  app.get('/inspector', { schema: { hide: true } }, (_, reply) => sendPage(reply, 'index.html', "'none'"))

  app.get(
    '/api/inspector',
    { websocket: true, config: { scope: 'read' }, preHandler: admit, schema: { hide: true } },
    (socket, request) => {
      const caller = request.caller!
      hold(socket, caller)
      servePage({
        socket,
        views,
        caller,
        log: request.log,
        issueTicket: (wanted) => tickets.issue({ ...wanted, caller }),
      })
    },
  )

  app.post(
    '/api/inspector/tickets',
    {
      config: { scope: 'read' },
      schema: {
        summary: "One connection to the feed in Stately's protocol, for clients that send no headers",
        tags: ['inspector'],
        body: z.strictObject({ call: callId.nullable().default(null), masked: z.boolean().default(true) }),
        response: { 200: z.object({ ticket: z.string(), url: z.string(), expiresAt: moment }) },
      },
    },
    async (request) => {
      const caller = request.caller!
      const { call, masked } = request.body
      const issued = tickets.issue({ caller, call, masked: masked || !mayOperate(caller) })
      return { ...issued, url: `${basePath}/inspector/stately?ticket=${issued.ticket}` }
    },
  )

  app.route({
    method: 'GET',
    url: '/inspector/stately',
    schema: { hide: true, querystring: z.object({ ticket: z.string().max(100).optional() }) },
    // before the upgrade, so that a refusal is an answer with a code
    preHandler: async (request) => {
      if (!request.ws) return
      await admit()
      redeemed.set(request, tickets.redeem(request.query.ticket ?? ''))
    },
    handler: (_, reply) => sendPage(reply, 'stately.html', STATELY),
    wsHandler: (socket, request) => {
      const ticket = redeemed.get(request)!
      hold(socket, ticket.caller)
      serveStately({ socket, views, log: request.log }, ticket)
    },
  })
  const redeemed = new WeakMap<FastifyRequest, ReturnType<typeof tickets.redeem>>()

  app.get(
    '/api/inspector/calls',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The latest ended calls, for replay',
        tags: ['inspector'],
        response: { 200: z.object({ items: z.array(endedCall) }) },
      },
    },
    async ({ caller }) => {
      const tenantId = caller?.tenantId
      const filter = { live: false, limit: LISTED, ...(tenantId != null && { tenantId }) }
      return { items: await listCalls(database, filter) }
    },
  )

  app.get(
    '/api/inspector/calls/:id',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Replays a call step by step, with the state of each machine',
        tags: ['inspector'],
        params: z.object({ id: callId }),
        response: {
          200: z.object({
            call: endedCall,
            machines: z.record(z.string(), z.string()),
            masked: z.boolean(),
            steps: z.array(step),
          }),
        },
      },
    },
    async ({ params: { id }, caller }) => {
      await withTimeout(FLUSH_MS, flush()).catch(() => {})
      const call = await findCall(database, id)
      if (!call || (caller?.tenantId !== null && caller?.tenantId !== call.tenantId))
        throw fail('CALL_UNKNOWN', { callId: id })
      const masked = !mayOperate(caller!)
      const steps = replay(await eventsOf(database, id, STEPS), masked)
      const actors = Object.keys(steps.at(-1)?.states ?? {})
      const machines = actors.flatMap((actor) => {
        const machine = machineOfActor(actor)
        return machine === undefined ? [] : [[actor, machine]]
      })
      return { call, machines: Object.fromEntries(machines), masked, steps }
    },
  )

  await instance.register(inspectorMessageRoutes, { database })
}

/** Closes a viewer after its time with 1012; pages reconnect automatically. */
function renew(socket: WebSocket) {
  const timer = setTimeout(() => comeAgain(socket), RENEW_MS)
  socket.once('close', () => clearTimeout(timer))
}

async function sendPage(reply: FastifyReply, file: string, frames: string): Promise<FastifyReply> {
  reply.header('content-security-policy', policy(frames))
  reply.header('cross-origin-opener-policy', 'same-origin')
  reply.header('referrer-policy', 'no-referrer')
  return reply.type('text/html; charset=utf-8').send(await readFile(join(WEB, file)))
}
