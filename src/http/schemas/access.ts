import { z } from 'zod'
import { moment, scope } from './common.ts'

export const key = z
  .object({
    id: z.string(),
    tenantId: z.string().nullable(),
    name: z.string(),
    scopes: z.array(scope),
    createdAt: moment,
    lastUsedAt: moment.nullable(),
    revokedAt: moment.nullable(),
  })
  .meta({ id: 'Key' })
/** Only this response contains the `key`. */
export const createdKey = key.extend({ key: z.string() }).meta({ id: 'CreatedKey' })

/** `csrf` goes into the header `x-csrf-token` of every request that changes something. */
export const session = z
  .object({ name: z.string(), tenantId: z.string().nullable(), scopes: z.array(scope), csrf: z.string() })
  .meta({ id: 'Session' })

export const machine = z.object({ name: z.string() }).meta({ id: 'Machine' })
export const readiness = z
  .object({ ready: z.boolean(), lacks: z.array(z.string()) })
  .meta({ id: 'Readiness' })
