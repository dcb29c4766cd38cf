import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { isOrphan } from '../../directory/index.ts'
import {
  type Decisions,
  deleteGate,
  type GateInput,
  listGateCommands,
  listGates,
  saveGate,
} from '../../gates/index.ts'
import {
  deleteInstance,
  gateInput,
  type Instance,
  instanceInput,
  listInstances,
  MAX_OVERLAP_MS,
  OVERLAP_MS,
  saveInstance,
} from '../../outbound/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { tenantOf } from '../auth.ts'
import { pageOf, paging, readCursor } from '../cursor.ts'
import * as schemas from '../schemas/index.ts'
import { callId } from './calls.ts'

export interface AccountRoutesOptions {
  database: Database
  /** A simulated resident decides (CLICKTOCALL=loopback): no gate may open. */
  simulates?: boolean
  /** Brings a command to a gate. */
  openGate: Decisions['openByHand']
}

const querystring = z.object({ tenant: z.string().max(64).optional() })
const name = z.string().regex(/^[\w.-]{1,64}$/, 'must be letters, digits and . _ -')

/** `/api/instances`: a tenant's messenger accounts. `/api/gates`: the targets of gate commands, and their results. */
export async function accountRoutes(
  instance: FastifyInstance,
  { database, simulates = false, openGate: open }: AccountRoutesOptions,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  const orphaned = (tenant: string) => (error: unknown) => {
    throw isOrphan(error) ? fail('TENANT_UNKNOWN', { tenant }, error) : error
  }

  app.get(
    '/api/instances',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The messenger accounts of a tenant',
        querystring,
        response: { 200: schemas.listOf(schemas.instance) },
      },
    },
    async (request) => ({ items: await listInstances(database, tenantOf(request, request.query.tenant)) }),
  )

  app.put(
    '/api/instances',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Creates or changes an account by channel and id; omitted secrets stay',
        querystring,
        body: instanceInput,
        response: { 200: schemas.instance },
      },
    },
    async (request) => {
      const tenant = tenantOf(request, request.query.tenant)
      const input = request.body as Omit<Instance, 'tenantId' | 'enabled'> & { enabled?: boolean }
      return saveInstance(database, tenant, input).catch(orphaned(tenant))
    },
  )

  app.delete(
    '/api/instances/:carrier/:id',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Deletes an account',
        params: z.object({ carrier: z.enum(['whatsapp', 'twilio']), id: name }),
        querystring,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { carrier, id } = request.params
      const tenant = tenantOf(request, request.query.tenant)
      if (!(await deleteInstance(database, tenant, carrier, id))) {
        throw fail('INSTANCE_UNKNOWN', { tenant, carrier, instance: id })
      }
      return reply.status(204).send(null)
    },
  )

  app.get(
    '/api/gates',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The gates of a tenant',
        querystring,
        response: { 200: schemas.listOf(schemas.gate) },
      },
    },
    async (request) => ({ items: await listGates(database, tenantOf(request, request.query.tenant)) }),
  )

  app.put(
    '/api/gates/:id',
    {
      config: { scope: 'admin' },
      schema: {
        summary:
          'Writes a gate, new or anew; with ?rotate=true it gets another secret, beside which the old one signs for overlapMs. One on the broker needs a key of all tenants',
        params: z.object({ id: name }),
        querystring: querystring.extend({
          rotate: z.stringbool().default(false),
          overlapMs: z.coerce.number().int().min(0).max(MAX_OVERLAP_MS).default(OVERLAP_MS),
        }),
        body: gateInput,
        response: { 200: schemas.savedGate },
      },
    },
    async (request) => {
      const { tenant: named, rotate, overlapMs } = request.query
      const tenant = tenantOf(request, named)
      const input = request.body as GateInput
      // the broker is shared: an exchange may belong to another tenant's gate
      if (input.kind === 'amqp' && request.caller!.tenantId !== null) throw fail('KEY_TENANT')
      if (simulates && input.enabled !== false) throw fail('LOOPBACK_GATE')
      return saveGate(database, tenant, request.params.id, input, { rotate, overlapMs }).catch(
        orphaned(tenant),
      )
    },
  )

  app.delete(
    '/api/gates/:id',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Deletes a gate',
        params: z.object({ id: name }),
        querystring,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const tenant = tenantOf(request, request.query.tenant)
      if (!(await deleteGate(database, tenant, id))) throw fail('GATE_UNKNOWN', { tenant, gate: id })
      return reply.status(204).send(null)
    },
  )

  app.post(
    '/api/gates/:id/open',
    {
      config: { scope: 'operate' },
      schema: {
        summary: 'Opens a gate now, without a call; the audit has who and why',
        params: z.object({ id: name }),
        querystring,
        body: z.strictObject({ reason: z.string().trim().min(1).max(200).optional() }),
        response: { 202: schemas.openedGate },
      },
    },
    async (request, reply) => {
      const tenantId = tenantOf(request, request.query.tenant)
      const by = request.caller!.name
      const gateId = request.params.id
      const opened = await open({ tenantId, gateId, by, reason: request.body.reason })
      request.log.warn(
        { command: opened.id, tenant: tenantId, gate: gateId, by },
        'a gate is opened by the API',
      )
      return reply.status(202).send({ ...opened, gate: gateId })
    },
  )

  app.get(
    '/api/gates/commands',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Gate commands, newest first, each with its audit',
        querystring: querystring.extend({ call: callId.optional(), ...paging }),
        response: { 200: schemas.pageSchema(schemas.gateCommand) },
      },
    },
    async (request) => {
      const { tenant, call, limit, cursor } = request.query
      const [before] = readCursor(cursor, z.tuple([z.iso.datetime()])) ?? []
      const rows = await listGateCommands(database, tenantOf(request, tenant), {
        ...(before !== undefined && { before: new Date(before) }),
        callId: call,
        limit: limit + 1,
      })
      return pageOf(rows, limit, ({ decidedAt }) => [decidedAt])
    },
  )
}
