import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import {
  changeUnit,
  contactPlan,
  createUnit,
  DEFAULT_COUNTRY,
  deleteUnit,
  filled,
  findTenant,
  isOrphan,
  pageUnits,
  readResidents,
  readUnit,
  resident,
  type UnitChange,
  type UnitRow,
  unitNumber,
  writeResidents,
} from '../../directory/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database, Transaction } from '../../platform/postgres/index.ts'
import { tenantOf } from '../auth.ts'
import { pageOf, paging, readCursor } from '../cursor.ts'
import * as schemas from '../schemas/index.ts'

interface UnitRoutesOptions {
  database: Database
}

/** Ids of the database are whole numbers. */
export const rowId = z.string().regex(/^\d{1,18}$/, 'must be an id')
const params = z.object({ id: rowId })
const query = z.object({ tenant: z.string().max(64).optional() })
const body = z.strictObject({
  number: unitNumber,
  block: filled.nullish(),
  tower: filled.nullish(),
  label: filled.nullish(),
  plan: contactPlan.nullish(),
  /** In calling order; a resident with an id stays the same person. `held` is ignored. */
  residents: z.array(resident.extend({ id: rowId.optional(), held: z.boolean().optional() })).max(100),
})

/** `/api/units`: units and their residents. */
export async function unitRoutes(instance: FastifyInstance, { database }: UnitRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  const read = async (request: FastifyRequest, id: string): Promise<UnitRow> => {
    const found = await readUnit(database, id, request.caller?.tenantId ?? null)
    if (!found) throw fail('UNIT_UNKNOWN', { unit: id })
    return found
  }

  /** Writes unit and residents together; `write` resolves with the unit's id. */
  const save = async (
    tenantId: string,
    given: z.output<typeof body>,
    write: (transaction: Transaction, change: UnitChange) => Promise<string>,
  ): Promise<string> => {
    const { number, block = null, tower = null, label = null, plan = null } = given
    const { country = DEFAULT_COUNTRY } = (await findTenant(database, tenantId)) ?? {}
    const { residents, problems } = readResidents(given.residents, country)
    if (problems.length > 0) throw fail('BODY_INVALID', { problems })
    try {
      return await database.transaction(async (transaction) => {
        const id = await write(transaction, { number, block, tower, label: label ?? number, plan })
        await writeResidents(
          transaction,
          { id, tenantId },
          residents.map(({ id, name, phone, whatsapp, notify }) => ({
            id,
            name,
            phone: phone ?? null,
            whatsapp: whatsapp ?? null,
            notify: notify ?? true,
          })),
        )
        return id
      })
    } catch (error) {
      if (isOrphan(error)) throw fail('TENANT_UNKNOWN', { tenant: tenantId }, error)
      throw error
    }
  }

  app.get(
    '/api/units',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Units ordered by number',
        querystring: query.extend({ search: z.string().trim().max(80).optional(), ...paging }),
        response: { 200: schemas.pageSchema(schemas.unit) },
      },
    },
    async (request) => {
      const { tenant, search, limit, cursor } = request.query
      const [after] = readCursor(cursor, z.tuple([rowId])) ?? []
      const tenantId = tenantOf(request, tenant)
      const rows = await pageUnits(database, {
        tenantId,
        search: search || undefined,
        after,
        limit: limit + 1,
      })
      return pageOf(rows, limit, ({ id }) => [id])
    },
  )

  app.post(
    '/api/units',
    {
      config: { scope: 'admin' },
      schema: { summary: 'Creates a unit', querystring: query, body, response: { 201: schemas.unit } },
    },
    async (request, reply) => {
      const tenantId = tenantOf(request, request.query.tenant)
      const id = await save(tenantId, request.body, (transaction, change) =>
        createUnit(transaction, tenantId, change),
      )
      return reply.status(201).send(await read(request, id))
    },
  )

  app.get(
    '/api/units/:id',
    { config: { scope: 'read' }, schema: { summary: 'A unit', params, response: { 200: schemas.unit } } },
    async (request) => read(request, request.params.id),
  )

  app.put(
    '/api/units/:id',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Replaces a unit and its residents',
        params,
        body,
        response: { 200: schemas.unit },
      },
    },
    async (request) => {
      const { id, tenantId, planUnreadable } = await read(request, request.params.id)
      // a client that could not see the unreadable plan and sends none does not mean to delete it
      const stays = planUnreadable && request.body.plan === undefined
      await save(tenantId, request.body, async (transaction, { plan, ...change }) => {
        await changeUnit(transaction, { id, tenantId }, { ...change, ...(!stays && { plan }) })
        return id
      })
      return read(request, id)
    },
  )

  app.delete(
    '/api/units/:id',
    {
      config: { scope: 'admin' },
      schema: { summary: 'Deletes a unit with its residents and rules', params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      const unit = await read(request, request.params.id)
      await database.transaction((transaction) => deleteUnit(transaction, unit))
      return reply.status(204).send(null)
    },
  )
}
