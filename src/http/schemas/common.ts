import { z } from 'zod'
import { OUTCOMES } from '../../../machines/index.ts'
import { CHANNELS } from '../../outbound/index.ts'

export const moment = z.date()
export const facts = z.record(z.string(), z.unknown())
export const role = z.enum(['visitor', 'resident'])
export const locale = z.enum(['pt-BR', 'en'])
export const scope = z.enum(['read', 'operate', 'admin'])
export const verdict = z.enum(['authorized', 'denied'])
export const channel = z.enum(CHANNELS)
export const messageStatus = z.enum([
  'pending',
  'processing',
  'retrying',
  'sent',
  'failed',
  'expired',
  'cancelled',
])
export const outcome = z.enum(OUTCOMES)

export const errorReply = z
  .object({ error: z.object({ code: z.string(), message: z.string(), details: facts }) })
  .meta({
    id: 'Error',
    description: 'Every response with a status from 400 on; docs/errors.md lists the codes.',
  })

/** A part of a list; `next` is the cursor of the following part, null at the end. */
export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().nullable() })
}

/** An answer that is no JSON, by its content types. */
export function textReply(description: string, ...types: string[]) {
  const schema = z.string()
  return { description, content: Object.fromEntries(types.map((type) => [type, { schema }])) }
}

export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item) })
}
