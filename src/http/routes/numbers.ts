import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { confirmNumbers, isOrphan, listHeldNumbers, readNumber } from '../../directory/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { tenantOf, tenantsOf } from '../auth.ts'
import { heldNumber, listOf } from '../schemas/index.ts'

interface NumberRoutesOptions {
  database: Database
}

const query = z.object({ tenant: z.string().max(64).optional() })

/** `/api/held-numbers`: WhatsApp numbers that may belong to strangers, until somebody confirms them. */
export async function numberRoutes(instance: FastifyInstance, { database }: NumberRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/held-numbers',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Foreign WhatsApp numbers whose digits are also a national number: they get no questions',
        querystring: query,
        response: { 200: listOf(heldNumber) },
      },
    },
    async (request) => ({
      items: await listHeldNumbers(database, tenantsOf(request, request.query.tenant)),
    }),
  )

  app.post(
    '/api/held-numbers',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Confirms that a number is foreign; to correct it, replace the unit',
        querystring: query,
        body: z.strictObject({
          number: z
            .string()
            .refine((number) => number.startsWith('+') && readNumber(number) === number, 'must be in E.164'),
        }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const tenant = tenantOf(request, request.query.tenant)
      await confirmNumbers(database, tenant, [request.body.number]).catch((error) => {
        throw isOrphan(error) ? fail('TENANT_UNKNOWN', { tenant }, error) : error
      })
      request.log.info({ tenant, by: request.caller?.name }, 'a foreign number was confirmed')
      return reply.status(204).send(null)
    },
  )
}
