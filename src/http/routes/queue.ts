import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { PauseRow, QueueStatistics } from '../../outbound/index.ts'
import { tenantsOf } from '../auth.ts'
import { paging } from '../cursor.ts'
import * as schemas from '../schemas/index.ts'
import { type MessageRoutesOptions, messageFilter, messageId, pageMessages } from './messages.ts'

/** `/api/queue`: statistics, pauses and dead letters. */
export async function queueRoutes(
  instance: FastifyInstance,
  { database, outbound }: Omit<MessageRoutesOptions, 'admit'>,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/queue/stats',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Statistics of the queue and its workers',
        querystring: z.object({ tenant: messageFilter.tenant }),
        response: { 200: schemas.queueStatistics },
      },
    },
    async (request) => {
      const all = await outbound.stats(tenantsOf(request, request.query.tenant))
      return request.caller!.tenantId === null ? all : ownOf(all)
    },
  )

  for (const action of ['pause', 'resume'] as const) {
    app.post(
      `/api/queue/${action}`,
      {
        config: { scope: 'operate' },
        schema: {
          summary:
            action === 'pause'
              ? 'Messages wait: everybody’s, or one tenant’s; priority 10 does not'
              : 'Messages leave again, where nothing else holds them',
          querystring: z.object({ tenant: messageFilter.tenant }),
          response: { 200: schemas.queuePauses },
        },
      },
      async (request) => {
        const { name: by, tenantId: own } = request.caller!
        const tenantId = tenantsOf(request, request.query.tenant) ?? null
        const pauses = await outbound[action]({ tenantId, byTenant: own !== null, by })
        request.log.info({ tenant: tenantId, by, action }, 'the queue was paused or resumed')
        return { pauses: own === null ? pauses : pauses.map(seenFromBelow) }
      },
    )
  }

  app.get(
    '/api/queue/dead',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Dead messages, newest first',
        querystring: z.object({ ...messageFilter, ...paging }),
        response: { 200: schemas.pageSchema(schemas.message) },
      },
    },
    (request) => pageMessages(database, request, { ...request.query, status: 'failed' }),
  )

  app.post(
    '/api/queue/dead/redrive',
    {
      config: { scope: 'operate' },
      schema: {
        summary: 'Redrives dead messages: the given ones, or all that match',
        body: z.strictObject({ ...messageFilter, ids: z.array(messageId).min(1).max(1000).optional() }),
        response: { 200: schemas.redriven },
      },
    },
    async (request) => {
      const { tenant, call, ...filter } = request.body
      const redriven = await outbound.redrive({
        ...filter,
        callId: call,
        tenantId: tenantsOf(request, tenant),
      })
      request.log.info({ redriven, by: request.caller?.name }, 'dead messages were redriven')
      return { redriven }
    },
  )
}

/** Removes data about other tenants: totals, workers, and the queues whose jobs are not messages. */
function ownOf({
  queues,
  tenants,
  pauses,
  ...all
}: QueueStatistics): z.output<typeof schemas.queueStatistics> {
  return {
    ...all,
    tenants,
    processed: null,
    failed: null,
    processing: tenants.reduce((sum, { processing }) => sum + processing, 0),
    queues: queues.filter(({ waiting }) => waiting !== undefined),
    workers: [],
    pauses: pauses.map(seenFromBelow),
  }
}

/** Hides from a tenant who made a pause that the tenant cannot lift. */
function seenFromBelow(pause: PauseRow): z.output<typeof schemas.queuePause> {
  return pause.byTenant ? pause : { ...pause, by: null }
}
