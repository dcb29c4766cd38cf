import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { isOrphan, MAIN_TENANT } from '../../directory/index.ts'
import {
  createEndpoint,
  deleteEndpoint,
  type EndpointInput,
  endpointChange,
  endpointInput,
  eventsRefusal,
  findEndpoint,
  listEndpoints,
  OWN_ENDPOINT,
  readBreaker,
  rotateSecret,
  rotation,
  updateEndpoint,
} from '../../outbound/index.ts'
import { type DetailsOf, fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { maySee, tenantOf } from '../auth.ts'
import { createdEndpoint, endpoint, endpoints, type environmentEndpoint } from '../schemas/index.ts'

export interface EndpointRoutesOptions {
  database: Database
  /** Details of EGRESS_REFUSED for a host that is a forbidden literal address. */
  refusalOf: (hostname: string) => DetailsOf<'EGRESS_REFUSED'> | undefined
  /** WEBHOOK_URL, if it is set. */
  ownEndpoint?: { url: string; token: string | undefined } | undefined
}

const querystring = z.object({ tenant: z.string().max(64).optional() })
const params = z.object({ id: z.guid('must be the id of an endpoint') })

/** `/api/endpoints`: receivers of webhooks. A secret is shown once, when it is created; lists never show one. */
export async function endpointRoutes(
  instance: FastifyInstance,
  { database, refusalOf, ownEndpoint }: EndpointRoutesOptions,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()
  const unknown = (id: string) => fail('ENDPOINT_UNKNOWN', { endpoint: id })
  /** Checks only literal addresses: a name may resolve differently later and is checked at connect. */
  const checkUrl = (url: string | undefined): void => {
    const refusal = url === undefined ? undefined : refusalOf(new URL(url).hostname)
    if (refusal) throw fail('EGRESS_REFUSED', refusal)
  }

  const checkEvents = (...given: Parameters<typeof eventsRefusal>): void => {
    const problem = eventsRefusal(...given)
    if (problem !== undefined) throw fail('BODY_INVALID', { problems: [problem] })
  }

  const described = async ({
    url,
    token,
  }: NonNullable<typeof ownEndpoint>): Promise<z.output<typeof environmentEndpoint>> => {
    const { origin, pathname } = new URL(url)
    const { failures = 0, waitMs = 0 } = (await readBreaker(database, OWN_ENDPOINT)) ?? {}
    return {
      id: OWN_ENDPOINT,
      // a query may be a secret
      url: origin + pathname,
      token: token !== undefined,
      failures,
      pausedUntil: waitMs > 0 ? new Date(Date.now() + waitMs) : null,
    }
  }

  app.get(
    '/api/endpoints',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The endpoints of a tenant, and the one of the environment',
        querystring,
        response: { 200: endpoints },
      },
    },
    async (request) => ({
      items: await listEndpoints(database, tenantOf(request, request.query.tenant)),
      // it gets the events of all tenants, so it belongs to the operator
      environment: ownEndpoint && maySee(request, MAIN_TENANT) ? await described(ownEndpoint) : null,
    }),
  )

  app.post(
    '/api/endpoints',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Creates an endpoint; only this response has its secret',
        querystring,
        body: endpointInput,
        response: { 201: createdEndpoint },
      },
    },
    async (request, reply) => {
      const tenant = tenantOf(request, request.query.tenant)
      checkUrl(request.body.url)
      checkEvents(request.body.format, request.body.events)
      const made = await createEndpoint(database, tenant, request.body as EndpointInput).catch((error) => {
        throw isOrphan(error) ? fail('TENANT_UNKNOWN', { tenant }, error) : error
      })
      request.log.info(
        { endpoint: made.endpoint.id, tenant, by: request.caller?.name },
        'an endpoint was made',
      )
      return reply.status(201).send(made)
    },
  )

  app.get(
    '/api/endpoints/:id',
    {
      config: { scope: 'read' },
      schema: { summary: 'An endpoint', params, querystring, response: { 200: endpoint } },
    },
    async (request) => {
      const { id } = request.params
      const found = await findEndpoint(database, tenantOf(request, request.query.tenant), id)
      if (!found) throw unknown(id)
      return found
    },
  )

  app.patch(
    '/api/endpoints/:id',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Changes the given fields; enabling resets its failures',
        params,
        querystring,
        body: endpointChange,
        response: { 200: endpoint },
      },
    },
    async (request) => {
      const { id } = request.params
      const tenant = tenantOf(request, request.query.tenant)
      const change = request.body as Omit<Partial<EndpointInput>, 'kind' | 'format'>
      checkUrl(change.url)
      if (change.events) checkEvents((await findEndpoint(database, tenant, id))?.format, change.events)
      const changed = await updateEndpoint(database, tenant, id, change)
      if (!changed) throw unknown(id)
      return changed
    },
  )

  app.post(
    '/api/endpoints/:id/rotate',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Creates a new secret; the old one also signs for a while',
        params,
        querystring,
        body: rotation,
        response: { 200: createdEndpoint },
      },
    },
    async (request) => {
      const { id } = request.params
      const tenant = tenantOf(request, request.query.tenant)
      const rotated = await rotateSecret(database, tenant, id, request.body.overlapMs)
      if (!rotated) throw unknown(id)
      request.log.info(
        { endpoint: id, tenant, by: request.caller?.name },
        'the secret of an endpoint was rotated',
      )
      return rotated
    },
  )

  app.delete(
    '/api/endpoints/:id',
    {
      config: { scope: 'admin' },
      schema: { summary: 'Deletes an endpoint', params, querystring, response: { 204: z.null() } },
    },
    async (request, reply) => {
      const { id } = request.params
      const tenant = tenantOf(request, request.query.tenant)
      if (!(await deleteEndpoint(database, tenant, id))) throw unknown(id)
      return reply.status(204).send(null)
    },
  )
}
