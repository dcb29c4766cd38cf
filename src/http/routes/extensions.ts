import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { EntrancePorts, PortChanges } from '../../calls/index.ts'
import {
  deleteExtension,
  type ExtensionRow,
  extension as entry,
  filled,
  isOrphan,
  listExtensions,
  writeExtension,
} from '../../directory/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { maySee, tenantOf, tenantsOf } from '../auth.ts'
import { extension, listOf, refreshed } from '../schemas/index.ts'

export interface ExtensionRoutesOptions {
  database: Database
  /** The main port pair of the configuration. */
  mainPorts: readonly number[]
  /** The ports of every node that takes calls; `isOpen` is for this node, undefined if it takes none. */
  entrances:
    | (Pick<EntrancePorts, 'refresh' | 'restart'> & {
        isOpen(id: string): ReturnType<EntrancePorts['isOpen']> | undefined
      })
    | undefined
}

/** Older clients name extensions by numbers. */
const named = z.union([z.string().min(1).max(200), z.number().int().nonnegative().transform(String)])
const query = z.object({ tenant: z.string().max(64).optional() })
const params = z.object({ id: z.string().min(1).max(200) })
const body = entry.omit({ id: true }).refine((row) => row.porta_ia !== row.porta_retorno, {
  path: ['porta_retorno'],
  message: 'must differ from porta_ia',
})

/**
 * `/api/extensions`: one port pair per entrance. Changes take effect with `POST /api/refresh`, which does not affect live
 * calls; `POST /api/restart` closes and opens the ports of one extension.
 */
export async function extensionRoutes(
  instance: FastifyInstance,
  { database, entrances, mainPorts }: ExtensionRoutesOptions,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()
  const shown = (row: ExtensionRow) => ({ ...row, open: entrances?.isOpen(row.id) ?? null })

  const owned = async (
    request: FastifyRequest,
    isWanted: (row: ExtensionRow) => boolean,
    id: string,
  ): Promise<ExtensionRow> => {
    const [found, other] = (await listExtensions(database, tenantsOf(request, undefined))).filter(isWanted)
    if (!found) throw fail('EXTENSION_UNKNOWN', { id })
    if (other)
      throw fail('BODY_INVALID', { problems: [`ramal: "${id}" is of several extensions; give the id`] })
    return found
  }

  /** The part that a key for one tenant may see. */
  const visible = async (request: FastifyRequest, changes: PortChanges, before: readonly ExtensionRow[]) => {
    const owners = new Map(
      [...before, ...(await listExtensions(database))].map(({ id, condominio_id }) => [id, condominio_id]),
    )
    const own = <T extends { gate: string }>(list: T[]) =>
      list.filter(({ gate }) => maySee(request, owners.get(gate)))
    return { opened: own(changes.opened), closed: own(changes.closed), failed: own(changes.failed) }
  }

  app.get(
    '/api/extensions',
    {
      config: { scope: 'read' },
      schema: { summary: 'The extensions', querystring: query, response: { 200: listOf(extension) } },
    },
    async (request) => {
      const rows = await listExtensions(database, tenantsOf(request, request.query.tenant))
      return { items: rows.map(shown) }
    },
  )

  app.put(
    '/api/extensions/:id',
    {
      config: { scope: 'admin' },
      schema: {
        summary: 'Creates or replaces an extension',
        params,
        querystring: query,
        body,
        response: { 200: extension },
      },
    },
    async (request) => {
      const { id } = request.params
      const tenantId = tenantOf(request, request.query.tenant)
      checkPorts(request, [request.body], mainPorts)
      const row = { id: filled.parse(id), ...request.body, condominio_id: tenantId }
      const written = await writeExtension(database, row).catch((error) => {
        throw isOrphan(error) ? fail('TENANT_UNKNOWN', { tenant: tenantId }, error) : error
      })
      if (!written) throw fail('EXTENSION_TAKEN', { id })
      return shown(row)
    },
  )

  app.delete(
    '/api/extensions/:id',
    {
      config: { scope: 'admin' },
      schema: { summary: 'Deletes an extension', params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      const { id } = request.params
      if (!(await deleteExtension(database, id, request.caller?.tenantId ?? null))) {
        throw fail('EXTENSION_UNKNOWN', { id })
      }
      return reply.status(204).send(null)
    },
  )

  if (!entrances) return

  app.post(
    '/api/refresh',
    {
      config: { scope: 'operate' },
      schema: { summary: 'Reads the extensions again; live calls stay', response: { 200: refreshed } },
    },
    async (request) => {
      const before = await listExtensions(database)
      const changes = await entrances.refresh()
      request.log.info(
        { by: request.caller?.name, opened: changes.opened.length, closed: changes.closed.length },
        'the extensions were read again',
      )
      return visible(request, changes, before)
    },
  )

  app.post(
    '/api/restart',
    {
      config: { scope: 'operate' },
      schema: {
        summary: 'Closes and opens the ports of one extension; live calls stay',
        body: z
          .strictObject({
            id: named.optional(),
            extension_id: named.optional().describe('The same as `id`; may be a number'),
            ramal: named.optional().describe('Instead of the id: its `ramal_ia` or `ramal_retorno`'),
          })
          .refine((given) => Object.values(given).filter((one) => one !== undefined).length === 1, {
            message: 'wants one of id, extension_id and ramal',
          }),
        response: { 200: refreshed },
      },
    },
    async (request) => {
      const { ramal, extension_id, id: given = extension_id } = request.body
      const { id } = await owned(
        request,
        (row) =>
          ramal === undefined ? row.id === given : row.ramal_ia === ramal || row.ramal_retorno === ramal,
        given ?? ramal!,
      )
      const changes = await entrances.restart(id)
      request.log.info({ by: request.caller?.name, gate: id }, 'the ports of an extension were restarted')
      return changes
    },
  )
}

/** Only keys for all tenants may use the main port pair, which gets all calls of the main entrance. Errors: KEY_TENANT. */
export function checkPorts(
  { caller }: FastifyRequest,
  rows: readonly Pick<ExtensionRow, 'porta_ia' | 'porta_retorno'>[],
  mainPorts: readonly number[],
): void {
  const takes = rows.some((row) => mainPorts.includes(row.porta_ia) || mainPorts.includes(row.porta_retorno))
  if (takes && caller!.tenantId !== null) throw fail('KEY_TENANT')
}
