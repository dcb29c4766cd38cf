import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { CallRoutesOptions } from './call-routes.ts'
import { readiness } from './schemas.ts'

export interface StatusRoutesOptions {
  calls: CallRoutesOptions['calls']
  /** What the service knows of itself now. */
  status: () => Record<string, unknown>
  /** What keeps it from taking calls; empty when it is ready. */
  lacks: () => string[]
}

/**
 * `GET /api/status`, and two that need no key: `GET /healthz`, which tells nothing but that the process answers, and `GET
 * /readyz`, 503 while calls should go elsewhere.
 */
export async function statusRoutes(instance: FastifyInstance, { calls, status, lacks }: StatusRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/status',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'What this node knows of itself; a key of one tenant counts its own calls only',
        response: { 200: z.record(z.string(), z.unknown()).meta({ id: 'Status' }) },
      },
    },
    async ({ caller }) => {
      const whole = status()
      if (caller!.tenantId === null) return whole
      const own = (calls?.list() ?? []).filter(({ tenantId }) => tenantId === caller!.tenantId)
      // what came of whose calls, and how much there is of everything, is not theirs to know
      const { status: state, node, startedAt, clickToCall, speech } = whole
      return {
        status: state,
        node,
        startedAt,
        clickToCall,
        speech,
        calls: own.length,
        legs: own.reduce((sum, { legs }) => sum + legs.size, 0),
      }
    },
  )

  app.get('/healthz', { schema: { summary: 'The process answers; no key' } }, async () => ({ status: 'ok' }))

  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Whether it can do its work, and what it lacks; no key',
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
