import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../observe/index.ts'

export interface MetricsRoutesOptions {
  metrics: Metrics
}

/**
 * `GET /metrics` for Prometheus, with a key of scope `read`: `authorization` in its scrape_config. It covers all tenants,
 * so the key must be for all tenants.
 */
export async function metricsRoutes(app: FastifyInstance, { metrics }: MetricsRoutesOptions) {
  const schema = { summary: 'Metrics in the format of Prometheus; needs a key for all tenants' }
  app.get('/metrics', { config: { scope: 'read', everyTenant: true }, schema }, async (_, reply) => {
    reply.type(metrics.contentType)
    return metrics.text()
  })
}
