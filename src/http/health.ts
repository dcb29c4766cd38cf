import fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import type { Logger } from '../platform/log.ts'
import { type AuthOptions, createAuth } from './auth.ts'
import { arrivalLimits, listen } from './listen.ts'
import { replyError, replyUnknownRoute } from './replies.ts'
import { type MetricsRoutesOptions, metricsRoutes } from './routes/metrics.ts'
import { type StatusRoutesOptions, statusRoutes } from './routes/status.ts'

/** Limit in ms for a whole request to arrive. */
const REQUEST_MS = 5000
/** Maximum size in bytes; no route here reads a body. */
const BODY_LIMIT = 1024

interface HealthOptions extends AuthOptions, StatusRoutesOptions, MetricsRoutesOptions {
  host: string
  port: number
  log: Logger
}

/**
 * `/healthz`, `/readyz`, `/metrics` and `/api/status` of a process without the API. Errors: PORT_IN_USE,
 * PORT_FORBIDDEN.
 */
export async function openHealth(options: HealthOptions) {
  const { host, port, log } = options
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    ...arrivalLimits(REQUEST_MS),
    forceCloseConnections: true,
    frameworkErrors: (error, request, reply) => replyError(error, request, reply),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('caller', null)
  app.setErrorHandler(replyError)
  app.setNotFoundHandler(replyUnknownRoute)
  const auth = createAuth(options)
  app.addHook('onRequest', auth.authenticate)
  app.register(statusRoutes, options)
  app.register(metricsRoutes, options)
  return listen(app, { host, port })
}
