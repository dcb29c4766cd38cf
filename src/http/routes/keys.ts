import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { isOrphan } from '../../directory/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { tenantsOf } from '../auth.ts'
import { createdKey, key, listOf, scope } from '../schemas/index.ts'
import { createKey, listKeys, readKey, revokeKey } from '../sql/keys.ts'

interface KeyRoutesOptions {
  database: Database
}

const body = z.strictObject({
  /** The program or person that uses it, for the journal and the log. */
  name: z.string().trim().min(1).max(80),
  scopes: z
    .array(scope)
    .min(1)
    .transform((scopes) => [...new Set(scopes)]),
  /** Null: all tenants. Default: that of the requesting key. */
  tenant: z.string().max(64).nullable().optional(),
})

/** `/api/keys`: create, list and revoke; only the response that creates a key contains it. */
export async function keyRoutes(instance: FastifyInstance, { database }: KeyRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/keys',
    {
      config: { scope: 'admin' },
      schema: { summary: 'The keys, also revoked ones', response: { 200: listOf(key) } },
    },
    async (request) => ({ items: await listKeys(database, tenantsOf(request, undefined)) }),
  )

  app.post(
    '/api/keys',
    { config: { scope: 'admin' }, schema: { summary: 'Creates a key', body, response: { 201: createdKey } } },
    async (request, reply) => {
      const { name, scopes, tenant } = request.body
      const own = request.caller!.tenantId
      // a key for one tenant must not create a key that sees more
      if (tenant === null && own !== null) throw fail('KEY_TENANT')
      const tenantId = tenantsOf(request, tenant ?? undefined) ?? null
      const { id, plain } = await createKey(database, { tenantId, name, scopes }).catch((error) => {
        throw isOrphan(error) ? fail('TENANT_UNKNOWN', { tenant: tenantId }, error) : error
      })
      request.log.info({ key: id, tenant: tenantId, scopes, by: request.caller?.name }, 'an API key was made')
      const made = await readKey(database, id)
      return reply.status(201).send({ ...made!, key: plain })
    },
  )

  app.delete(
    '/api/keys/:id',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Revokes a key; its sessions, streams and telephones end at once',
        params: z.object({ id: z.guid('must be the id of a key') }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const revoked = await revokeKey(database, id, tenantsOf(request, undefined))
      if (!revoked) throw fail('KEY_UNKNOWN', { id })
      app.access.end(id)
      request.log.info({ key: id, by: request.caller?.name }, 'an API key was revoked')
      return reply.status(204).send(null)
    },
  )
}
