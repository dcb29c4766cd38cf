import type { IncomingMessage } from 'node:http'
import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import websocket from '@fastify/websocket'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import type { Topics } from '../cluster/index.ts'
import type { Logger } from '../platform/log.ts'
import { createAccessWatch } from './access.ts'
import { type ApiOptions, apiRoutes } from './api.ts'
import { type AuthOptions, createAuth } from './auth.ts'
import { arrivalLimits, listen } from './listen.ts'
import { collectRoutes, documentRoutes } from './openapi.ts'
import { replyError, replyMalformed, replyUnknownRoute, replyUnread } from './replies.ts'
import { refuseUnstorable } from './unstorable.ts'

/** Bytes; what is larger, such as a directory, says so at its route. */
const BODY_LIMIT = 64 * 1024
/** ms for a whole request to arrive, against peers that drip. */
const REQUEST_MS = 15_000
/** Bytes of one message of a WebSocket; a frame of sound or a key press is far below it. */
const MESSAGE_LIMIT = 16 * 1024

export interface HttpOptions extends AuthOptions, Omit<ApiOptions, 'auth'> {
  host: string
  port: number
  /** Reverse proxies whose word on address and protocol counts, as CIDRs. */
  trustProxy: readonly string[]
  log: Logger
  /** Announces keys and sessions that end; undefined: they are noticed within `checkMs`. */
  topics?: Pick<Topics, 'subscribe'>
  /** ms between two checks of the keys of whatever is held open. */
  checkMs?: number
  /** Limit in ms for a whole request to arrive; shorter in tests. */
  requestMs?: number
  /** Pages, webhooks and sockets beside the API, in their order; with cookies, keys and WebSockets ready for them. */
  extras: readonly ((app: FastifyInstance) => Promise<unknown>)[]
}

/** The HTTP server. Errors: PORT_IN_USE, PORT_FORBIDDEN. */
export async function openHttp(options: HttpOptions) {
  const { host, port, log, trustProxy, extras, basePath = '', requestMs = REQUEST_MS } = options
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    // one line a request would drown the calls; what acts on a call logs it
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    ...arrivalLimits(requestMs),
    forceCloseConnections: true,
    trustProxy: trustProxy.length > 0 ? [...trustProxy] : false,
    // a proxy may pass the prefix on or strip it
    ...(basePath && { rewriteUrl: ({ url = '/' }: IncomingMessage) => withoutBase(url, basePath) }),
    genReqId: () => crypto.randomUUID(),
    clientErrorHandler: replyMalformed,
    // paths that no router can read get the same form of error
    frameworkErrors: (error, request, reply) => replyUnread(error, request, reply),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('caller', null)
  app.setErrorHandler(replyError)
  app.setNotFoundHandler(replyUnknownRoute)
  return listen(app, { host, port }, async () => {
    await prepare(app, basePath)
    const auth = createAuth(options)
    const access = createAccessWatch(options)
    app.decorate('access', access)
    app.addHook('preClose', async () => access.close())
    app.addHook('onRequest', auth.authenticate)
    await app.register(apiRoutes, { ...options, auth })
    for (const extra of extras) await app.register(extra)
    await documentRoutes(app, basePath)
  })
}

/** The setup for every route: headers, cookies, WebSockets, and the API document. */
async function prepare(app: FastifyInstance, basePath: string): Promise<void> {
  await app.register(helmet, {
    // of answers that no browser shows; pages bring a policy of their own
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    referrerPolicy: { policy: 'no-referrer' },
    // TLS ends at a proxy, which knows better
    strictTransportSecurity: false,
  })
  if (basePath)
    app.addHook('onRequest', async ({ originalUrl }, reply) => {
      // the page's relative URLs need the slash
      if (originalUrl.split('?')[0] === basePath) await reply.redirect(`${basePath}/`, 308)
    })
  await app.register(cookie)
  await app.register(websocket, { options: { maxPayload: MESSAGE_LIMIT } })
  await collectRoutes(app, basePath)
  refuseUnstorable(app)
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id)
    const location = reply.getHeader('location')
    if (basePath && typeof location === 'string' && !location.startsWith(`${basePath}/`))
      reply.header('location', basePath + location)
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
  })
}

/** The URL of a request without the prefix that a proxy did not strip. */
function withoutBase(url: string, basePath: string): string {
  if (!url.startsWith(basePath)) return url
  const rest = url.slice(basePath.length)
  if (rest.startsWith('/')) return rest
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url
}
