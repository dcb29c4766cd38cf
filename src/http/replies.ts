import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { asPorteiroError, fail, PorteiroError } from '../platform/errors.ts'
import { stateOf } from '../platform/postgres/index.ts'

/** Fastify's own errors as codes of our table. */
const BY_FASTIFY: Record<string, (error: FastifyError, request: FastifyRequest) => PorteiroError> = {
  FST_ERR_VALIDATION: (error) =>
    fail('BODY_INVALID', {
      problems: (error.validation ?? []).map(({ instancePath, message }) =>
        `${instancePath.replace(/^\//, '') || 'body'}: ${plain(message)}`.trim(),
      ),
    }),
  FST_ERR_CTP_BODY_TOO_LARGE: (_, request) =>
    fail('BODY_TOO_LARGE', { limit: request.routeOptions.bodyLimit }),
  FST_ERR_CTP_INVALID_JSON_BODY: () => fail('BODY_NOT_JSON'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => fail('BODY_NOT_JSON'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => fail('BODY_INVALID'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => fail('BODY_TYPE'),
  FST_ERR_BAD_URL: () => fail('BODY_INVALID', { problems: ['path: is not UTF-8'] }),
  FST_ERR_MAX_PARAM_LENGTH: (_, request) => unknownRoute(request),
}

/** Replaces Postgres's own words, which name tables, values and servers; the log has them. */
const OF_DATABASE: Partial<Record<string, string>> = {
  DATABASE_QUERY: 'The database refused a query.',
  DATABASE_UNREACHABLE: 'The database cannot be reached.',
}

/** The one form of an error: `{ error: { code, message, details } }`. */
export function replyError(thrown: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const error = ofDatabase(BY_FASTIFY[thrown.code]?.(thrown, request) ?? foreign(thrown, request), request)
  const bug = error.code === 'BUG'
  if (bug) request.log.error({ err: thrown, code: error.code }, 'a request failed')
  const { code, message, details, status } = error
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="porteiro"')
  const { retryAfterSeconds } = details
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
  // callers without a key get no details of the service
  const hidden = status >= 500 && request.caller === null && code !== 'AUTH_UNAVAILABLE'
  reply.status(status).send({
    error: {
      code,
      message: hidden ? 'The service cannot do this at the moment.' : (OF_DATABASE[code] ?? message),
      details: bug || hidden ? {} : details,
    },
  })
}

/** An error of the database without its details. A value that Postgres cannot represent (class 22) is the caller's mistake. */
function ofDatabase(error: PorteiroError, { log }: FastifyRequest): PorteiroError {
  if (OF_DATABASE[error.code] === undefined) return error
  log.error({ code: error.code, reason: error.message }, 'a query of a request failed')
  return error.code === 'DATABASE_QUERY' && stateOf(error)?.startsWith('22')
    ? fail('BODY_INVALID', { problems: ['a value is out of range'] }, error)
    : new PorteiroError(error.code, {}, error)
}

/** Replies to a request that failed before routing, for which the hooks did not run. */
export function replyUnread(thrown: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  reply.headers({
    'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'SAMEORIGIN',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    'x-request-id': request.id,
  })
  replyError(thrown, request, reply)
}

/** Replies to malformed HTTP in the same form and closes the connection. */
export function replyMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const { code, message, details } = fail('REQUEST_MALFORMED')
    const body = JSON.stringify({ error: { code, message, details } })
    socket.write(
      `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=utf-8\r\nx-content-type-options: nosniff\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  }
  socket.destroy(error)
}

/** An error of a library; its 4xx errors are the client's fault. */
function foreign(thrown: FastifyError, request: FastifyRequest): PorteiroError {
  if (thrown.statusCode === 403 || thrown.statusCode === 404) return unknownRoute(request)
  const { statusCode = 500 } = thrown
  return statusCode >= 400 && statusCode < 500 && !(thrown instanceof PorteiroError)
    ? fail('BODY_INVALID', { problems: [thrown.message] }, thrown)
    : asPorteiroError(thrown)
}

/** The message without the library's own wording. */
function plain(message = ''): string {
  if (/received undefined$/.test(message)) return 'is missing'
  return message.replace(/^Invalid input: /, '')
}

export function replyUnknownRoute(request: FastifyRequest): never {
  throw unknownRoute(request)
}

function unknownRoute({ method, url }: FastifyRequest): PorteiroError {
  return fail('ROUTE_UNKNOWN', { method, path: url.split('?')[0]?.slice(0, 200) })
}
