import { z } from 'zod'
import { moment } from './common.ts'

const point = {
  at: moment.describe('Begin of the hour or day'),
  key: z.string().describe('The outcome, channel or tenant, as `by` says'),
  count: z.number(),
}

const history = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.object({
    from: moment,
    to: moment,
    step: z.enum(['hour', 'day']),
    by: z.string(),
    countedAt: moment.nullable().describe('When the newest hour was last counted'),
    points: z.array(z.object({ ...point, ...shape })),
  })

export const messageHistory = history({
  delivered: z.number().describe('With a receipt'),
  read: z.number(),
  deliverMs: z.number().nullable().describe('Mean from enqueue to sent, ms'),
  deliverMsMax: z.number().nullable(),
  within1: z.number().describe('Sent within 1 s'),
  within10: z.number(),
  within60: z.number(),
  within600: z.number(),
  within3600: z.number(),
}).meta({ id: 'MessageHistory' })

export const callHistory = history({
  totalMs: z.number().nullable().describe('Mean length, ms'),
  answered: z.number(),
  answerMs: z.number().nullable().describe('Mean from the beginning to the first answer, ms'),
  decided: z.number(),
  decisionMs: z.number().nullable().describe('Mean from the beginning to the decision, ms'),
}).meta({ id: 'CallHistory' })
