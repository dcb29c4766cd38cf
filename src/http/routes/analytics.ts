import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { countedAt, readCalls, readMessages } from '../../analytics/index.ts'
import { fail } from '../../platform/errors.ts'
import { type Database, stateOf } from '../../platform/postgres/index.ts'
import { tenantsOf } from '../auth.ts'
import { callHistory, messageHistory } from '../schemas/index.ts'

const DAY_MS = 86_400_000
/** Days of a history without a beginning, and days at most by hour and by day. */
const USUAL_DAYS = 30
const MOST_DAYS = { hour: 93, day: 800 } as const
/** Days up to which a history is by hour where nothing else is asked for. */
const HOURLY_DAYS = 3

const shared = {
  from: z.iso.datetime({ offset: true }).optional().describe('Default: 30 days before `to`'),
  to: z.iso.datetime({ offset: true }).optional().describe('Default: now'),
  step: z.enum(['hour', 'day']).optional().describe('Default: hour up to 3 days, else day'),
  timeZone: z
    .string()
    .max(64)
    .regex(/^[A-Za-z_]+(\/[A-Za-z0-9_+-]+)*$/, 'must be a name such as America/Sao_Paulo')
    .default('UTC')
    .describe('Where days begin'),
  tenant: z.string().max(64).optional(),
  outcome: z.string().max(32).optional(),
  format: z.enum(['json', 'csv']).default('json'),
}

/** `/api/analytics`: messages and calls by hour or day, as JSON or CSV. */
export async function analyticsRoutes(instance: FastifyInstance, { database }: { database: Database }) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/analytics/messages',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Messages by the hour or day of their enqueue: outcomes and time to deliver',
        querystring: z.object({
          ...shared,
          by: z.enum(['outcome', 'channel', 'tenant']).default('outcome'),
          channel: z.string().max(32).optional(),
        }),
        response: { 200: messageHistory },
      },
    },
    async (request, reply) => {
      const { format, tenant, ...asked } = request.query
      const query = { ...asked, ...rangeOf(asked), tenantId: tenantsOf(request, tenant) }
      const [points, at] = await inZone(
        Promise.all([readMessages(database, query), countedAt(database, 'messages')]),
      )
      if (format === 'csv') return csv(reply, 'messages', query.by, points)
      return { from: query.from, to: query.to, step: query.step, by: query.by, countedAt: at, points }
    },
  )

  app.get(
    '/api/analytics/calls',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Calls by the hour or day of their end: outcomes, time to the answer and to the decision',
        querystring: z.object({ ...shared, by: z.enum(['outcome', 'tenant']).default('outcome') }),
        response: { 200: callHistory },
      },
    },
    async (request, reply) => {
      const { format, tenant, ...asked } = request.query
      const query = { ...asked, ...rangeOf(asked), tenantId: tenantsOf(request, tenant) }
      const [points, at] = await inZone(
        Promise.all([readCalls(database, query), countedAt(database, 'calls')]),
      )
      if (format === 'csv') return csv(reply, 'calls', query.by, points)
      return { from: query.from, to: query.to, step: query.step, by: query.by, countedAt: at, points }
    },
  )
}

interface Asked {
  from?: string | undefined
  to?: string | undefined
  step?: 'hour' | 'day' | undefined
}

function rangeOf({ from: begins, to: ends, step: asked }: Asked) {
  const to = ends === undefined ? new Date() : new Date(ends)
  const from = begins === undefined ? new Date(to.getTime() - USUAL_DAYS * DAY_MS) : new Date(begins)
  const days = (to.getTime() - from.getTime()) / DAY_MS
  if (days <= 0) throw malformed('from: must be before to')
  const step = asked ?? (days <= HOURLY_DAYS ? 'hour' : 'day')
  if (days > MOST_DAYS[step]) throw malformed(`from: by ${step}, at most ${MOST_DAYS[step]} days before to`)
  return { from, to, step }
}

function malformed(problem: string): Error {
  return fail('BODY_INVALID', { problems: [problem] })
}

/** Only Postgres knows which names it has (invalid_parameter_value). */
async function inZone<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (stateOf(error) === '22023') throw malformed('timeZone: is not known')
    throw error
  }
}

function csv(reply: FastifyReply, name: string, by: string, points: readonly object[]): never {
  const rows = points.map((point) => Object.values(point).map(cellOf).join())
  const header = Object.keys(points[0] ?? { at: '', key: '', count: 0 }).map((field) =>
    field === 'key' ? by : field,
  )
  reply.header('content-disposition', `attachment; filename="porteiro-${name}.csv"`)
  return reply.type('text/csv; charset=utf-8').send(`${[header.join(), ...rows].join('\r\n')}\r\n`) as never
}

/** Nothing needs quotes: moments, numbers, and names of the service. */
function cellOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'number' ? String(Math.round(value)) : String(value ?? '')
}
