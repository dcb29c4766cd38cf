import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import {
  type BlockedRow,
  blockedVisitor,
  deleteRule,
  filled,
  findUnits,
  isAt,
  isEmptyWindow,
  isOrphan,
  listRules,
  type RuleOwner,
  type RuleTable,
  unitNumber,
  type WindowRow,
  windowFields,
  writeBlocked,
  writeWindow,
} from '../../directory/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { tenantOf } from '../auth.ts'
import { listedBlock, listedWindow, listOf } from '../schemas/index.ts'
import { rowId } from './units.ts'

interface RuleRoutesOptions {
  database: Database
}

const params = z.object({ id: rowId })
const query = z.object({ tenant: z.string().max(64).optional() })
/** The rule's unit; without it, all units. Block and tower are needed if several units have its number. */
const forUnit = { unit: unitNumber.nullish(), block: filled.nullish(), tower: filled.nullish() }

/** `/api/blocked` and `/api/windows`: rules that decide before anybody is called. */
export async function ruleRoutes(app: FastifyInstance, { database }: RuleRoutesOptions) {
  rulesOf(app, database, {
    path: '/api/blocked',
    table: 'block_list',
    one: 'an entry of the block list',
    row: listedBlock,
    body: blockedVisitor.safeExtend(forUnit),
    write: (owner, rule) => writeBlocked(database, owner, rule),
  })
  rulesOf(app, database, {
    path: '/api/windows',
    table: 'auto_open_windows',
    one: 'a window in which visitors are let in',
    row: listedWindow,
    body: windowFields.safeExtend(forUnit),
    write: async (owner, rule) => {
      if (isEmptyWindow(rule)) throw fail('WINDOW_EMPTY', { time: rule.from })
      return writeWindow(database, owner, rule)
    },
  })
}

type Row = BlockedRow | WindowRow
type Text = string | null | undefined
type Given<Rule> = Rule & { unit?: Text; block?: Text; tower?: Text }

interface Kind<Rule> {
  path: string
  table: RuleTable
  /** Name in the API document. */
  one: string
  row: typeof listedBlock | typeof listedWindow
  body: z.ZodType<Given<Rule>>
  write: (owner: RuleOwner, rule: Rule) => Promise<string>
}

function rulesOf<Rule>(
  instance: FastifyInstance,
  database: Database,
  { path, table, one, row, body, write }: Kind<Rule>,
): void {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  const read = async (request: FastifyRequest, id: string) => {
    const [found] = await listRules<Row>(database, table, { tenantId: request.caller?.tenantId ?? null, id })
    if (!found) throw fail('RULE_UNKNOWN', { id })
    return found
  }

  const save = async (tenantId: string, { unit, block, tower, ...rule }: Given<Rule>, id?: string) => {
    const units = unit == null ? [] : await findUnits(database, tenantId, unit)
    const left = units.filter((one) => isAt(one, { block, tower }))
    const [found] = left
    if (unit != null && !found) throw fail('UNIT_UNKNOWN', { unit })
    if (left.length > 1) throw fail('UNIT_AMBIGUOUS', { unit })
    const owner = { id, tenantId, unitId: found?.id ?? null }
    return write(owner, rule as Rule).catch((error) => {
      throw isOrphan(error) ? fail('TENANT_UNKNOWN', { tenant: tenantId }, error) : error
    })
  }

  app.get(
    path,
    {
      config: { scope: 'read' },
      schema: { summary: `Each is ${one}`, querystring: query, response: { 200: listOf(row) } },
    },
    async (request, reply) =>
      reply.send({
        items: await listRules<Row>(database, table, { tenantId: tenantOf(request, request.query.tenant) }),
      }),
  )

  app.post(
    path,
    {
      config: { scope: 'admin' },
      schema: { summary: `Makes ${one}`, querystring: query, body, response: { 201: row } },
    },
    async (request, reply) => {
      const rule = request.body as Given<Rule>
      const id = await save(tenantOf(request, request.query.tenant), rule)
      return reply.status(201).send(await read(request, id))
    },
  )

  app.put(
    `${path}/:id`,
    {
      config: { scope: 'admin' },
      schema: { summary: `Writes ${one} anew`, params, body, response: { 200: row } },
    },
    async (request, reply) => {
      const { id, tenantId } = await read(request, request.params.id)
      await save(tenantId, request.body as Given<Rule>, id)
      return reply.send(await read(request, id))
    },
  )

  app.delete(
    `${path}/:id`,
    {
      config: { scope: 'admin' },
      schema: { summary: `Deletes ${one}`, params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      const { id } = await read(request, request.params.id)
      await deleteRule(database, table, id)
      return reply.status(204).send(null)
    },
  )
}
