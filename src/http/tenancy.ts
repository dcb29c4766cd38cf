import type { FastifyRequest } from 'fastify'
import { MAIN_TENANT } from '../directory/index.ts'
import { fail } from '../platform/errors.ts'

/** Whether the caller may know of what belongs to `tenantId`. What may not be known is answered like what is not there. */
export function maySee({ caller }: FastifyRequest, tenantId: string | null | undefined): boolean {
  if (caller === null) return false
  return caller.tenantId === null || caller.tenantId === tenantId
}

/** The tenant that a request is about: the key's own, or the one it names, or the main one. Errors: TENANT_UNKNOWN. */
export function tenantOf(request: FastifyRequest, named: string | undefined): string {
  return tenantsOf(request, named) ?? MAIN_TENANT
}

/** As tenantOf, for lists that may go over all tenants: then undefined. Errors: TENANT_UNKNOWN. */
export function tenantsOf({ caller }: FastifyRequest, named: string | undefined): string | undefined {
  const own = caller?.tenantId ?? undefined
  if (own !== undefined && named !== undefined && named !== own)
    throw fail('TENANT_UNKNOWN', { tenant: named })
  return own ?? named
}
