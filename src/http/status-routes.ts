import type { FastifyInstance } from 'fastify'

export interface StatusRoutesOptions {
  /** What the service knows of itself now. */
  status: () => Record<string, unknown>
  /** What keeps it from taking calls; empty when it is ready. */
  lacks: () => string[]
}

/**
 * `GET /api/status`, and two that need no key: `GET /healthz`, which tells nothing but that the process answers, and `GET
 * /readyz`, 503 while calls should go elsewhere.
 */
export async function statusRoutes(app: FastifyInstance, { status, lacks }: StatusRoutesOptions) {
  app.get('/api/status', { config: { scope: 'read' } }, async () => status())
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_, reply) => {
    const missing = lacks()
    if (missing.length > 0) reply.status(503)
    return { ready: missing.length === 0, lacks: missing }
  })
}
