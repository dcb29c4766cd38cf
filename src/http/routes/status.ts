import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { type RemarkOptions, remarksOf, type Whole } from '../remarks.ts'
import { readiness, status as statusSchema } from '../schemas/index.ts'
import type { CallRoutesOptions } from './calls.ts'

export interface StatusRoutesOptions extends RemarkOptions {
  calls: CallRoutesOptions['calls']
  /** The current status of the service. */
  status: () => Whole
  /** The reasons why it is not ready; empty when it is ready. */
  lacks: () => string[]
}

/**
 * `GET /api/status`, and two routes without a key: `GET /healthz`, which only says that the process answers, and `GET
 * /readyz`, 503 while calls should go elsewhere.
 */
export async function statusRoutes(instance: FastifyInstance, options: StatusRoutesOptions) {
  const { calls, status, lacks } = options
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/status',
    {
      config: { scope: 'read' },
      schema: {
        summary:
          'The status of this node, and remarks about what needs attention; a key of one tenant sees its own only',
        response: { 200: statusSchema },
      },
    },
    async ({ caller }) => {
      const { tenantId } = caller!
      const whole = status()
      const remarks = await remarksOf(options, whole, tenantId)
      if (tenantId === null) return { ...whole, remarks }
      const own = (calls?.list() ?? []).filter((call) => call.tenantId === tenantId)
      // a tenant must not see other tenants' calls and the totals
      const { status: state, node, startedAt, clickToCall, speech } = whole
      return {
        ...({ status: state, node, startedAt, clickToCall, speech } as Whole),
        // only a process with calls has them
        ...(calls && {
          calls: own.length,
          legs: own.reduce((sum, { legs }) => sum + legs.size, 0),
        }),
        remarks,
      }
    },
  )

  app.get('/healthz', { schema: { summary: 'The process answers; no key' } }, async () => ({ status: 'ok' }))

  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Whether the process is ready, and what it lacks; no key',
        response: { 200: readiness, 503: readiness },
      },
    },
    async (_, reply) => {
      const missing = lacks()
      if (missing.length > 0) reply.status(503)
      return { ready: missing.length === 0, lacks: missing }
    },
  )
}
