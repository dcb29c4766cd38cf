import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { asPorteiroError, fail, type PorteiroError } from '../errors.ts'

/** Fastify's own errors in the words of our table. */
const BY_FASTIFY: Record<string, (error: FastifyError, request: FastifyRequest) => PorteiroError> = {
  FST_ERR_VALIDATION: (error) =>
    fail('BODY_INVALID', {
      problems: (error.validation ?? []).map(({ instancePath, message }) =>
        `${instancePath.replace(/^\//, '') || 'body'}: ${message}`.trim(),
      ),
    }),
  FST_ERR_CTP_BODY_TOO_LARGE: (_, request) =>
    fail('BODY_TOO_LARGE', { limit: request.routeOptions.bodyLimit }),
  FST_ERR_CTP_INVALID_JSON_BODY: () => fail('BODY_NOT_JSON'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => fail('BODY_NOT_JSON'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => fail('BODY_INVALID'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => fail('BODY_TYPE'),
  FST_ERR_BAD_URL: (_, request) => unknownRoute(request),
  FST_ERR_MAX_PARAM_LENGTH: (_, request) => unknownRoute(request),
}

/** The one form of an error: `{ error: { code, message, details } }`. */
export function replyError(thrown: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const error = BY_FASTIFY[thrown.code]?.(thrown, request) ?? asPorteiroError(thrown)
  const bug = error.code === 'BUG'
  if (bug) request.log.error({ err: thrown, code: error.code }, 'a request failed')
  const { code, message, details, status } = error
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="porteiro"')
  reply.status(status).send({ error: { code, message, details: bug ? {} : details } })
}

export function replyUnknownRoute(request: FastifyRequest): never {
  throw unknownRoute(request)
}

function unknownRoute({ method, url }: FastifyRequest): PorteiroError {
  return fail('ROUTE_UNKNOWN', { method, path: url.split('?')[0]?.slice(0, 200) })
}
