import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { listOf, machine, textReply } from '../schemas/index.ts'

const FORMATS = ['json', 'mermaid', 'svg'] as const
type Format = (typeof FORMATS)[number]

export interface MachineRoutesOptions {
  /** Draws the charts; createCharts of src/charts does. Errors: MACHINE_UNKNOWN, CHART_FAILED. */
  charts: {
    readonly names: readonly string[]
    render(name: string, format: Format): Promise<string>
  }
}

const TYPES: Record<Format, string> = {
  json: 'application/json; charset=utf-8',
  mermaid: 'text/plain; charset=utf-8',
  svg: 'image/svg+xml; charset=utf-8',
}

/** `GET /api/machines` and `/:name?format=json|mermaid|svg`: the statecharts, drawn from the machines themselves. */
export async function machineRoutes(instance: FastifyInstance, { charts }: MachineRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/machines',
    {
      config: { scope: 'read' },
      schema: { summary: 'The machines by name', response: { 200: listOf(machine) } },
    },
    async () => ({ items: charts.names.map((name) => ({ name })) }),
  )

  app.get(
    '/api/machines/:name',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'A machine as JSON configuration, as Mermaid, or as an SVG with a class per state',
        params: z.object({ name: z.string().max(100) }),
        querystring: z.object({ format: z.enum(FORMATS).default('json') }),
        response: { 200: textReply('The chart', 'application/json', 'text/plain', 'image/svg+xml') },
      },
    },
    async (request, reply) => {
      const { format } = request.query
      const chart = await charts.render(request.params.name, format)
      return reply.type(TYPES[format]).send(chart)
    },
  )
}
