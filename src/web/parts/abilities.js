import { get, withQuery } from '../api.js'
import { useLoad } from './load.js'

/** @type {Partial<import('../api-types.d.ts').Abilities>} */
const UNKNOWN = {}

/**
 * What the service can do for a tenant, by `GET /api/abilities`; what it does not tell is not known. Without a tenant nothing is.
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
