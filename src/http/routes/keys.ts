import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { isOrphan } from '../../directory/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { createdKey, key, listOf, scope } from '../schemas/index.ts'
import { createKey, listKeys, readKey, revokeKey } from '../sql/keys.ts'
import { tenantsOf } from '../tenancy.ts'

interface KeyRoutesOptions {
  database: Database
}

const body = z.strictObject({
  /** Whose program or person it is for; it stands in the journal and the log. */
  name: z.string().trim().min(1).max(80),
  scopes: z
    .array(scope)
    .min(1)
    .transform((scopes) => [...new Set(scopes)]),
  /** Null: every tenant. Unless given, that of the key that asks. */
  tenant: z.string().max(64).nullable().optional(),
})

/** `/api/keys`: made, listed and revoked; the key itself is told once, by the answer that made it. */
export async function keyRoutes(instance: FastifyInstance, { database }: KeyRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/keys',
    {
      config: { scope: 'admin' },
      schema: { summary: 'The keys, revoked ones too', response: { 200: listOf(key) } },
    },
    async (request) => ({ items: await listKeys(database, tenantsOf(request, undefined)) }),
  )

  app.post(
    '/api/keys',
    { config: { scope: 'admin' }, schema: { summary: 'Makes a key', body, response: { 201: createdKey } } },
    async (request, reply) => {
      const { name, scopes, tenant } = request.body
      const own = request.caller!.tenantId
      // a key of one tenant makes none that sees more than itself
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
        summary: 'Revokes a key; what it opened closes within seconds',
        params: z.object({ id: z.guid('must be the id of a key') }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const revoked = await revokeKey(database, id, tenantsOf(request, undefined))
      if (!revoked) throw fail('KEY_UNKNOWN', { id })
      request.log.info({ key: id, by: request.caller?.name }, 'an API key was revoked')
      return reply.status(204).send(null)
    },
  )
}
