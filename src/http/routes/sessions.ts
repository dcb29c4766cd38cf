import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { type Auth, type Caller, csrfOf, keyOf, SESSION_COOKIE } from '../auth.ts'
import { session } from '../schemas/index.ts'

/** Lifetime of a session in s; the length of a shift. */
const SESSION_S = 12 * 60 * 60

const login = z.strictObject({ key: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must be an API key') })

export interface SessionRoutesOptions {
  auth: Auth
}

/**
 * `POST /api/session` with a key sets it as a cookie that no script can read; `GET` returns the key's owner and the
 * token that changes need; `DELETE` clears it.
 */
export async function sessionRoutes(instance: FastifyInstance, { auth }: SessionRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.post(
    '/api/session',
    { schema: { summary: 'Logs in: the key becomes a cookie', body: login, response: { 200: session } } },
    async (request, reply) => {
      const { key } = request.body
      const caller = await auth.check(request, key)
      reply.setCookie(SESSION_COOKIE, key, { ...cookieFor(request), maxAge: SESSION_S })
      return describe(caller, key)
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
      reply.clearCookie(SESSION_COOKIE, cookieFor(request)).status(204)
      return null
    },
  )
}

function describe({ name, tenantId, scopes }: Caller, plain: string) {
  return { name, tenantId, scopes: [...scopes], csrf: csrfOf(plain) }
}

function cookieFor({ protocol }: FastifyRequest) {
  return { path: '/', httpOnly: true, sameSite: 'strict', secure: protocol === 'https' } as const
}
