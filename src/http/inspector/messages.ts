import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { MASKED, shown } from '../../inspect/index.ts'
import { findMessageLife } from '../../outbound/index.ts'
import { fail } from '../../platform/errors.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { mayOperate, maySee } from '../auth.ts'
import { messageId } from '../routes/messages.ts'
import * as schemas from '../schemas/index.ts'
import { replayDelivery } from './delivery-replay.ts'

const { moment } = schemas
const looked = schemas.message.pick({
  id: true,
  tenantId: true,
  channel: true,
  priority: true,
  status: true,
  attempts: true,
  maxRetries: true,
  createdAt: true,
  updatedAt: true,
  nextAttemptAt: true,
  expiresAt: true,
  sentAt: true,
  deliveredAt: true,
  readAt: true,
})
const step = z.object({
  seq: z.number(),
  at: moment,
  /** The time was not recorded: it happened at `at` or before. */
  atLatest: z.boolean(),
  kind: z.string(),
  leg: z.null(),
  data: z.unknown(),
  states: z.object({ delivery: z.string() }),
  context: z.object({ maxRetries: z.number(), tries: z.number() }),
})

/** `GET /api/inspector/messages/:id`: a delivery has no actor, so it is replayed from its rows. */
export async function inspectorMessageRoutes(
  instance: FastifyInstance,
  { database }: { database: Database },
): Promise<void> {
  const app = instance.withTypeProvider<ZodTypeProvider>()
  app.get(
    '/api/inspector/messages/:id',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Replays the delivery of a message step by step, with the state of its machine',
        tags: ['inspector'],
        params: z.object({ id: messageId }),
        response: {
          200: z.object({
            message: looked,
            /** Personal data, as far as the caller may see it. */
            details: schemas.facts,
            machines: z.object({ delivery: z.literal('delivery') }),
            masked: z.boolean(),
            /** Nothing more can happen to it. */
            over: z.boolean(),
            steps: z.array(step),
          }),
        },
      },
    },
    async (request) => {
      const { id } = request.params
      const life = await findMessageLife(database, id)
      // a foreign message looks like one that does not exist
      if (!life || !maySee(request, life.message.tenantId)) throw fail('MESSAGE_UNKNOWN', { messageId: id })
      const masked = !mayOperate(request.caller!)
      const { steps, over } = replayDelivery(life, masked)
      const { callId, instanceId, to, idempotencyKey, providerId, lastError } = life.message
      // the body has the sender's words, so no list of harmless words applies
      const body = masked ? MASKED : life.message.body
      const details = shown({ callId, instanceId, to, body, idempotencyKey, providerId, lastError }, masked)
      return {
        message: life.message,
        details: details as Record<string, unknown>,
        machines: { delivery: 'delivery' as const },
        masked,
        over,
        steps,
      }
    },
  )
}
