import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import {
  directoryFile,
  exportDirectory,
  exportRules,
  findTenant,
  importDirectory,
  openDirectoryFile,
} from '../../directory/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { tenantOf } from '../auth.ts'
import { imported } from '../schemas/index.ts'
import { checkPorts, type ExtensionRoutesOptions } from './extensions.ts'

/** Maximum size in bytes; ten thousand units with their residents. */
const FILE_LIMIT = 5 * 1024 * 1024

interface DirectoryRoutesOptions extends Pick<ExtensionRoutesOptions, 'mainPorts'> {
  database: Database
}

/** `GET /api/directory/export` and `POST /api/directory/import`, in the form of examples/condominium.json. */
export async function directoryRoutes(
  instance: FastifyInstance,
  { database, mainPorts }: DirectoryRoutesOptions,
) {
  const app = instance.withTypeProvider<ZodTypeProvider>()
  // as bytes: problems are reported by line, and a duplicate name is a problem
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, body, done) => done(null, body))

  app.get(
    '/api/directory/export',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Exports units, residents, extensions and rules of a tenant',
        querystring: z.object({ tenant: z.string().max(64).optional() }),
        response: { 200: z.looseObject({ units: z.array(z.record(z.string(), z.unknown())) }) },
      },
    },
    async (request) => {
      const tenant = tenantOf(request, request.query.tenant)
      const found = await exportDirectory(database, tenant)
      if (!found) throw fail('TENANT_UNKNOWN', { tenant })
      return directoryFile(found, await exportRules(database, tenant)) as { units: Record<string, unknown>[] }
    },
  )

  app.post(
    '/api/directory/import',
    {
      config: { scope: 'admin' },
      bodyLimit: FILE_LIMIT,
      schema: {
        summary: 'Imports a directory file; nothing is loaded if anything is wrong',
        querystring: z.object({
          tenant: z.string().max(64).optional(),
          /** Also removes units that are not in the file. */
          replace: z.stringbool().default(false),
        }),
        body: z.instanceof(Buffer).meta({ type: 'object' }),
        response: { 200: imported },
      },
    },
    async (request) => {
      const { tenant: named, replace } = request.query
      const file = openDirectoryFile(request.body)
      const tenantId = tenantOf(request, named ?? file.tenantId)
      const { country } = (await findTenant(database, tenantId)) ?? {}
      const { tenant, units, extensions, rules, onlyExtensions } = file.read(country)
      checkPorts(request, extensions ?? [], mainPorts)
      const report = await importDirectory(database, tenantId, units, {
        replace: replace && !onlyExtensions,
        ...(tenant && { tenant }),
        ...(extensions && { extensions }),
        ...(rules && { rules }),
      })
      request.log.info({ tenant: tenantId, by: request.caller?.name, ...report }, 'a directory was imported')
      return { tenant: tenantId, ...report }
    },
  )
}
