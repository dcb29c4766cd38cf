import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../observe/index.ts'

export interface MetricsRoutesOptions {
  metrics: Metrics
}

/**
 * `GET /metrics` for Prometheus, with a key that may read: `authorization` in its scrape_config. It counts what all tenants
 * do, so the key must be one of all.
 */
export async function metricsRoutes(app: FastifyInstance, { metrics }: MetricsRoutesOptions) {
  const schema = { summary: 'What it measures, in the form of Prometheus; a key of all tenants' }
  app.get('/metrics', { config: { scope: 'read', everyTenant: true }, schema }, async (_, reply) => {
    reply.type(metrics.contentType)
    return metrics.text()
  })
}
