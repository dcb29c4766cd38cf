import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { MAIN_TENANT } from '../../directory/index.ts'
import { voicesOf, type Whole } from '../remarks.ts'
import { abilities } from '../schemas/index.ts'
import { tenantOf } from '../tenancy.ts'

export interface AbilityRoutesOptions {
  /** What the service knows of itself now. */
  status: () => Whole
  /** Whether the tenant has an account to write to residents by. */
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
        summary: 'What the service can do for a tenant: steps of plans that it cannot do are passed over',
        querystring: z.object({ tenant: z.string().max(64).optional() }),
        response: { 200: abilities },
      },
    },
    async (request) => {
      const tenant = tenantOf(request, request.query.tenant)
      const voices = voicesOf(status())
      // accounts of tenants are in the database, that of the environment is in that of who takes calls
      const own = tenant === MAIN_TENANT && voices.some((voice) => stepsOf(voice).whatsapp)
      // of an account that cannot be read its messages tell
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
