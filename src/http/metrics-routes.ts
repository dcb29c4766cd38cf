import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../observe/metrics.ts'

export interface MetricsRoutesOptions {
  metrics: Metrics
}

/** `GET /metrics` for Prometheus, with a key that may read: `authorization` in its scrape_config. */
export async function metricsRoutes(app: FastifyInstance, { metrics }: MetricsRoutesOptions) {
  app.get('/metrics', { config: { scope: 'read' } }, async (_, reply) => {
    reply.type(metrics.contentType)
    return metrics.text()
  })
}
