import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import {
  changeTenant,
  contactPlan,
  country,
  createTenant,
  deleteTenant,
  filled,
  listeningSettings,
  listTenants,
  MAIN_TENANT,
  ownTexts,
  tenantId,
} from '../../directory/index.ts'
import { rotateTenantSecret, rotation, tenantSecrets } from '../../outbound/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { tenantOf, tenantsOf } from '../auth.ts'
import {
  afterTalk,
  answerCheck,
  freeWebhooks,
  listOf,
  locale,
  opensBy,
  tenant,
  webhookSecrets,
} from '../schemas/index.ts'

interface TenantRoutesOptions {
  database: Database
}

const change = {
  locale: locale.nullable().optional(),
  country: country.optional(),
  bargeIn: z.boolean().optional(),
  notifyUnreached: z.boolean().optional(),
  opensBy: opensBy.optional(),
  trustsIntent: z.boolean().optional(),
  answerCheck: answerCheck.optional(),
  leaveMessage: z.boolean().optional(),
  afterTalk: afterTalk.optional(),
  /** Set with a key for all tenants only. */
  freeWebhooks: freeWebhooks.optional(),
  /** Null: the default plan. */
  plan: contactPlan.nullable().optional(),
  /** Replaced as a whole; null: the service's. */
  listening: listeningSettings.nullable().optional(),
  texts: ownTexts.nullable().optional(),
}
const params = z.object({ tenant: z.string().max(64) })

/** `/api/tenants`: the condominiums. Only a key for all tenants can create and delete them. */
export async function tenantRoutes(instance: FastifyInstance, { database }: TenantRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  const read = async (id: string) => {
    const [found] = await listTenants(database, id)
    if (!found) throw fail('TENANT_UNKNOWN', { tenant: id })
    return found
  }

  app.get(
    '/api/tenants',
    { config: { scope: 'read' }, schema: { summary: 'The tenants', response: { 200: listOf(tenant) } } },
    async (request) => ({ items: await listTenants(database, tenantsOf(request, undefined)) }),
  )

  app.post(
    '/api/tenants',
    {
      config: { scope: 'admin', everyTenant: true },
      schema: {
        summary: 'Creates a tenant',
        body: z.strictObject({ id: tenantId, name: filled, ...change }),
        response: { 201: tenant },
      },
    },
    async (request, reply) => {
      const { id } = request.body
      const made = await database.transaction((transaction) => createTenant(transaction, request.body))
      if (!made) throw fail('TENANT_TAKEN', { tenant: id })
      request.log.info({ tenant: id, by: request.caller?.name }, 'a tenant was created')
      return reply.status(201).send(await read(id))
    },
  )

  app.get(
    '/api/tenants/:tenant',
    { config: { scope: 'read' }, schema: { summary: 'A tenant', params, response: { 200: tenant } } },
    async (request) => read(tenantOf(request, request.params.tenant)),
  )

  app.patch(
    '/api/tenants/:tenant',
    {
      config: { scope: 'admin' },
      schema: {
        summary:
          'Changes what is given: name, language, country of numbers, barge-in, notes to residents who were not reached, what opens, whether stated intents open windows, how answers are checked, what follows a talk, contact plan, how lines are listened to, texts of greetings and goodbyes, and with a key for all tenants where free webhooks may go',
        params,
        body: z.strictObject({ name: filled.optional(), ...change }),
        response: { 200: tenant },
      },
    },
    async (request) => {
      const id = tenantOf(request, request.params.tenant)
      if (request.body.freeWebhooks !== undefined && request.caller!.tenantId !== null)
        throw fail('KEY_TENANT')
      if (!(await changeTenant(database, id, request.body))) throw fail('TENANT_UNKNOWN', { tenant: id })
      return read(id)
    },
  )

  app.get(
    '/api/tenants/:tenant/webhook-secret',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'The secrets that sign webhooks to URLs; the present one first',
        params,
        response: { 200: webhookSecrets },
      },
    },
    async (request) => {
      const id = tenantOf(request, request.params.tenant)
      await read(id)
      return { secrets: await tenantSecrets(database, id) }
    },
  )

  app.post(
    '/api/tenants/:tenant/webhook-secret/rotate',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Creates a new secret for webhooks to URLs; the old one also signs for a while',
        params,
        body: rotation,
        response: { 200: webhookSecrets },
      },
    },
    async (request) => {
      const id = tenantOf(request, request.params.tenant)
      await read(id)
      const secrets = await rotateTenantSecret(database, id, request.body.overlapMs)
      request.log.info({ tenant: id, by: request.caller?.name }, 'the secret of free webhooks was rotated')
      return { secrets }
    },
  )

  app.delete(
    '/api/tenants/:tenant',
    {
      config: { scope: 'admin', everyTenant: true },
      schema: {
        summary: 'Deletes a tenant with its directory, extensions, rules and keys',
        params,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { tenant: id } = request.params
      if (id === MAIN_TENANT) throw fail('TENANT_MAIN', { tenant: id })
      if (!(await deleteTenant(database, id))) throw fail('TENANT_UNKNOWN', { tenant: id })
      request.log.warn({ tenant: id, by: request.caller?.name }, 'a tenant was deleted')
      return reply.status(204).send(null)
    },
  )
}
