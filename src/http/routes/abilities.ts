import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { MAIN_TENANT } from '../../directory/index.ts'
import { tenantOf } from '../auth.ts'
import { voicesOf, type Whole } from '../remarks.ts'
import { abilities } from '../schemas/index.ts'

export interface AbilityRoutesOptions {
  /** The current status of the service. */
  status: () => Whole
  /** Whether the tenant has an account that can write to residents. */
  hasAccount: (tenantId: string) => Promise<boolean>
}

/** `GET /api/abilities`: which steps of a contact plan, and which rules, have an effect here. */
export async function abilityRoutes(instance: FastifyInstance, { status, hasAccount }: AbilityRoutesOptions) {
  const app = instance.withTypeProvider<ZodTypeProvider>()

  app.get(
    '/api/abilities',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The possible steps of a tenant’s contact plans; others are skipped',
        querystring: z.object({ tenant: z.string().max(64).optional() }),
        response: { 200: abilities },
      },
    },
    async (request) => {
      const tenant = tenantOf(request, request.query.tenant)
      const voices = voicesOf(status())
      // accounts of tenants are in the database, that of the environment is known to the processes that take calls
      const own = tenant === MAIN_TENANT && voices.some((voice) => stepsOf(voice).whatsapp)
      // an unreadable account shows in the errors of its messages
      const account = own || (await hasAccount(tenant).catch(() => null))
      const any = (can: (voice: Whole) => unknown) =>
        voices.length === 0 ? null : voices.some((voice) => Boolean(can(voice)))
      const rings = ({ clickToCall }: Whole) => clickToCall !== 'off'
      return {
        call: any(rings),
        whatsapp: account === false && voices.length === 0 ? null : account,
        operator: any((voice) => rings(voice) && stepsOf(voice).operator),
        transcription: any(({ speech }) => {
          const { provider } = (speech as { stt?: { provider?: string } } | undefined)?.stt ?? {}
          return provider !== undefined && provider !== 'none'
        }),
      }
    },
  )
}

function stepsOf({ steps }: Whole): { operator?: boolean; whatsapp?: boolean } {
  return (steps ?? {}) as { operator?: boolean; whatsapp?: boolean }
}
