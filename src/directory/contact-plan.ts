import { z } from 'zod'

/** How long one may ring or wait: long enough to be heard, short enough for somebody who stands at a gate. */
const seconds = z.number().int().min(5).max(600)

/**
 * One step to reach a unit. `call` rings its residents in their order, `whatsapp` writes to them and waits
 * `ringSeconds` for the reply, `operator` rings the operator's extension. What a step leaves out is the service's default.
 */
export const planStep = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('call'),
    ringSeconds: seconds.optional(),
    attempts: z.number().int().min(1).max(20).optional(),
  }),
  // a second message would say what the first one says
  z.strictObject({ kind: z.literal('whatsapp'), ringSeconds: seconds.optional() }),
  z.strictObject({
    kind: z.literal('operator'),
    ringSeconds: seconds.optional(),
    attempts: z.number().int().min(1).max(20).optional(),
  }),
])

/** Steps in their order; more than a few would outlast CALL_MAX_SECONDS. */
export const contactPlan = z.array(planStep).min(1).max(8)

export type PlanStep = z.output<typeof planStep>
export type ContactPlan = z.output<typeof contactPlan>

/** Where neither the unit nor the tenant has one. */
export const DEFAULT_PLAN: ContactPlan = [{ kind: 'call' }]
