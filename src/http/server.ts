import fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { fail, reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type AuthOptions, createAuth } from './auth.ts'
import { type CallRoutesOptions, callRoutes } from './call-routes.ts'
import { type MetricsRoutesOptions, metricsRoutes } from './metrics-routes.ts'
import { replyError, replyUnknownRoute } from './replies.ts'
import { type StatusRoutesOptions, statusRoutes } from './status-routes.ts'

/** Bytes; the largest body that any route of today needs is a small object. */
const BODY_LIMIT = 64 * 1024
/** ms for a whole request to arrive, against peers that drip. */
const REQUEST_MS = 15_000

export interface HttpOptions
  extends AuthOptions,
    CallRoutesOptions,
    StatusRoutesOptions,
    MetricsRoutesOptions {
  host: string
  port: number
  log: Logger
}

/** The HTTP API. Errors: PORT_IN_USE, PORT_FORBIDDEN. */
export async function openHttp(options: HttpOptions) {
  const { host, port, log } = options
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    // one line a request would drown the calls; what acts on a call logs it
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
    genReqId: () => crypto.randomUUID(),
    // paths that no router can read get the same form of error
    frameworkErrors: (error, request, reply) => replyError(error, request, reply),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('caller', null)
  app.addHook('onRequest', createAuth(options))
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('cache-control', 'no-store')
    reply.header('x-content-type-options', 'nosniff')
  })
  app.setErrorHandler(replyError)
  app.setNotFoundHandler(replyUnknownRoute)
  app.register(callRoutes, options)
  app.register(statusRoutes, options)
  app.register(metricsRoutes, options)
  try {
    await app.listen({ host, port })
  } catch (error) {
    await app.close()
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    throw fail(taken ? 'PORT_IN_USE' : 'PORT_FORBIDDEN', { host, port, reason: reasonOf(error) }, error)
  }
  const address = app.server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () => app.close(),
  }
}
