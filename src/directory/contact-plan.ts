import { z } from 'zod'

/** Duration of ringing or waiting in s: long enough to be heard, short enough for a visitor at the entrance. */
const seconds = z.number().int().min(5).max(600)

/**
 * One step to reach a unit. `call` calls its residents, one after the other (`order`) or all at once (`together`), `whatsapp` writes to them and waits
 * `ringSeconds` for the reply, `operator` calls the operator's extension. Omitted fields have the service's defaults.
 */
export const planStep = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('call'),
    ringSeconds: seconds.optional(),
    attempts: z.number().int().min(1).max(20).optional(),
    strategy: z.enum(['order', 'together']).optional(),
  }),
  // no `attempts`: a second message would repeat the first
  z.strictObject({ kind: z.literal('whatsapp'), ringSeconds: seconds.optional() }),
  z.strictObject({
    kind: z.literal('operator'),
    ringSeconds: seconds.optional(),
    attempts: z.number().int().min(1).max(20).optional(),
  }),
])

/** Steps in order; more would exceed CALL_MAX_SECONDS. */
export const contactPlan = z.array(planStep).min(1).max(8)

export type PlanStep = z.output<typeof planStep>
export type ContactPlan = z.output<typeof contactPlan>

/** The plan if neither the unit nor the tenant has one. */
export const DEFAULT_PLAN: ContactPlan = [{ kind: 'call' }]
