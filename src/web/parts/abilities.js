import { get, withQuery } from '../api.js'
import { useLoad } from './load.js'

/** @type {Partial<import('../api-types.d.ts').Abilities>} */
const UNKNOWN = {}

/**
 * The abilities of the service for a tenant, from `GET /api/abilities`; one that is missing is unknown. Without a tenant all are.
 * @param {string | undefined} tenant
 * @returns {Partial<import('../api-types.d.ts').Abilities>}
 */
export function useAbilities(tenant) {
  const { value } = useLoad(
    async () => (tenant === undefined ? UNKNOWN : get(withQuery('/api/abilities', { tenant }))),
    [tenant],
  )
  return value ?? UNKNOWN
}
