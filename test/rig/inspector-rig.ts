import websocket from '@fastify/websocket'
import fastify, { type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { WebSocket } from 'ws'
import { createAccessWatch } from '../../src/http/access.ts'
import type { Caller } from '../../src/http/auth.ts'
import { inspectorRoutes } from '../../src/http/inspector/routes.ts'
import { callSource } from '../../src/http/inspector/sources.ts'
import { createViews, type ViewsOptions } from '../../src/http/inspector/views.ts'
import { replyError } from '../../src/http/replies.ts'
import { createInspection, createRoster } from '../../src/inspect/inspection.ts'
import { fail } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import { openTestDatabase } from './database.ts'
import { openSite } from './http-rig.ts'
import type { Rig } from './rig.ts'
import { type House, openService, type Scene } from './service-rig.ts'

/** What the inspector says, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: what it says is what the tests view at
export type Said = any

const ALL = { id: null, tenantId: null, access: [] }
/** As in a process that shares its database with no other. */
const ALONE = {
  instance: '00000000-alone',
  serve() {},
  subscribe: () => ({
    ready: Promise.resolve(),
    instances: () => [],
    ask: () => Promise.reject(fail('STREAM_OVER')),
    close() {},
  }),
} satisfies ViewsOptions['streams']
/** Who may come, by key. */
export const CALLERS: Record<string, Caller> = {
  admin: { ...ALL, name: 'admin', scopes: ['admin'] },
  operator: { ...ALL, name: 'operator', scopes: ['operate'] },
  reader: { ...ALL, name: 'reader', scopes: ['read'] },
  own: { id: '1', tenantId: 'default', name: 'own', scopes: ['operate'], access: [] },
  foreign: { id: '2', tenantId: 'other', name: 'foreign', scopes: ['operate'], access: [] },
}

/** The HTTP server with the inspector beside it, whose routes are part of the document; it has no actor to show. */
export async function openWhole(rig: Rig) {
  const database = await openTestDatabase(rig)
  const inspection = createInspection({ sources: [], report: () => {} })
  const views = createViews({ streams: ALONE, inspection, note: () => {}, log: silentLog() })
  return openSite(rig, {
    furnished: database,
    extras: [(app) => inspectorRoutes(app, { views, database, flush: async () => {} })],
  })
}

export type Inspector = Awaited<ReturnType<typeof openInspector>>

/** A whole service with an inspector on a server beside it, whose keys are the names above, as a header or as the cookie `key`. */
export async function openInspector(
  rig: Rig,
  {
    pages,
    keysMs,
    others = Promise.resolve(),
    house: shared,
    ...scene
  }: Scene & {
    pages?: (app: FastifyInstance) => Promise<void>
    keysMs?: number
    /** When every other process has answered. */
    others?: Promise<void>
    /** One that the tests of a file share; a new one unless given. */
    house?: House
  } = {},
) {
  const house = shared ?? (await openService(rig, scene))
  const { calls, journal, database } = house.service
  const roster = createRoster()
  const reported: unknown[] = []
  const inspection = createInspection({
    sources: [callSource(calls, journal), roster],
    report: (error) => reported.push(error),
  })
  rig.defer(() => {
    if (reported.length > 0) throw reported[0]
  })
  const app = fastify({ forceCloseConnections: true })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(replyError)
  // before the hook that refuses: it closes the socket of an upgrade that was refused
  await app.register(websocket)
  app.decorateRequest('caller', null)
  const access = createAccessWatch({ database, checkMs: keysMs })
  rig.defer(() => access.close())
  app.decorate('access', access)
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.scope === undefined) return
    const { authorization, cookie = '' } = request.headers
    const caller = CALLERS[(authorization ?? cookie).replace(/^(Bearer |key=)/, '')]
    if (!caller) throw fail('KEY_MISSING')
    request.caller = caller
  })
  await pages?.(app)
  const views = createViews({
    streams: { ...ALONE, subscribe: () => ({ ...ALONE.subscribe(), ready: others }) },
    inspection,
    log: silentLog(),
    note: (id, by, data) => calls.find(id)?.note('sent.byHand', null, { ...data, by }),
  })
  await app.register(inspectorRoutes, {
    views,
    database,
    flush: () => journal.flush(),
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  rig.defer(() => app.close())
  const address = app.server.address() as { port: number }
  const at = `127.0.0.1:${address.port}`

  const connect = (path: string, key?: string) => {
    const socket = new WebSocket(`ws://${at}${path}`, {
      ...(key !== undefined && { headers: { authorization: `Bearer ${key}` } }),
    })
    rig.defer(() => socket.terminate())
    return socket
  }

  return {
    house,
    inspection,
    roster,
    at,
    connect,
    /** A viewer of the inspector's own protocol. */
    view(key: string) {
      const socket = connect('/api/inspector', key)
      const heard: Said[] = []
      const waiting = new Set<() => void>()
      socket.on('message', (data) => {
        heard.push(...JSON.parse(String(data)))
        for (const view of waiting) view()
      })
      const closed = new Promise<{ code: number; reason: string }>((resolve) => {
        socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }))
      })
      return {
        socket,
        heard,
        closed,
        say: (message: unknown) =>
          socket.send(
            typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message),
          ),
        /** The first message of which this is true, said already or yet to come. */
        saw: (what: (said: Said) => unknown) =>
          new Promise<Said>((resolve) => {
            const view = () => {
              const found = heard.find(what)
              if (found === undefined) return
              waiting.delete(view)
              resolve(found)
            }
            waiting.add(view)
            view()
          }),
      }
    },
    async ask(path: string, key?: string, body?: unknown) {
      const response = await fetch(`http://${at}${path}`, {
        ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
        headers: {
          ...(key !== undefined && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
      })
      const text = await response.text()
      const type = response.headers.get('content-type') ?? ''
      const told: Said = type.includes('json') ? JSON.parse(text) : text
      return { status: response.status, headers: response.headers, body: told }
    },
  }
}
