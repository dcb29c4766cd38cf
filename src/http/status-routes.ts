import type { FastifyInstance } from 'fastify'

export interface StatusRoutesOptions {
  /** What the service knows of itself now. */
  status: () => Record<string, unknown>
}

/** `GET /api/status`, and `GET /healthz`, which needs no key and tells nothing but that the process answers. */
export async function statusRoutes(app: FastifyInstance, { status }: StatusRoutesOptions) {
  app.get('/api/status', { config: { scope: 'read' } }, async () => status())
  app.get('/healthz', async () => ({ status: 'ok' }))
}
