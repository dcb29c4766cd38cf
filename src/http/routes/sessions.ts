import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Database } from '../../platform/postgres/index.ts'
import { type Auth, type Caller, csrfOf, keyOf, SESSION_COOKIE } from '../auth.ts'
import { session } from '../schemas/index.ts'
import { createSession, endSession } from '../sql/sessions.ts'

/** Lifetime of a session in s; the length of a shift. */
const SESSION_S = 12 * 60 * 60

const login = z.strictObject({ key: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must be an API key') })

export interface SessionRoutesOptions {
  auth: Auth
  database: Database
  /** The path prefix under which a proxy serves the API; empty: none. */
  basePath?: string
}

/**
 * `POST /api/session` with a key begins a session, whose cookie no script can read; `GET` returns the key's owner and the
 * token that changes need; `DELETE` ends the session, and what it holds open.
 */
export async function sessionRoutes(instance: FastifyInstance, options: SessionRoutesOptions) {
  const { auth, database, basePath = '' } = options
  // of this prefix only: another service of the same host may have the rest
  const cookieFor = ({ protocol }: FastifyRequest) =>
    ({ path: `${basePath}/`, httpOnly: true, sameSite: 'strict', secure: protocol === 'https' }) as const

  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.post(
    '/api/session',
    { schema: { summary: 'Logs in: begins a session', body: login, response: { 200: session } } },
    async (request, reply) => {
      const { key } = request.body
      const caller = await auth.check(request, key)
      const cookie = await createSession(database, auth.ownerOf(caller), SESSION_S)
      reply.setCookie(SESSION_COOKIE, cookie, { ...cookieFor(request), maxAge: SESSION_S })
      return describe(caller, cookie)
    },
  )

  app.get(
    '/api/session',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The logged-in key, and the token that changes need',
        response: { 200: session },
      },
    },
    async (request) => describe(request.caller!, keyOf(request)!.plain),
  )

  app.delete(
    '/api/session',
    { config: { scope: 'read' }, schema: { summary: 'Logs out', response: { 204: z.null() } } },
    async (request, reply) => {
      const ended = await endSession(database, keyOf(request)!.plain)
      if (ended !== undefined) app.access.end(ended)
      reply.clearCookie(SESSION_COOKIE, cookieFor(request)).status(204)
      return null
    },
  )
}

function describe({ name, tenantId, scopes }: Caller, plain: string) {
  return { name, tenantId, scopes: [...scopes], csrf: csrfOf(plain) }
}
