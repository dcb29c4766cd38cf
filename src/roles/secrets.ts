import { GATE_SECRETS } from '../gates/index.ts'
import { ENDPOINT_SECRETS, INSTANCE_SECRETS } from '../outbound/index.ts'
import { fail, type PorteiroError } from '../platform/errors.ts'
import { listForeignSecrets, type Querier } from '../platform/postgres/index.ts'

/** Every column that has secrets. */
export const SECRET_COLUMNS = [...ENDPOINT_SECRETS, INSTANCE_SECRETS, ...GATE_SECRETS]

/** Places that an error names; the others are counted. */
const NAMED = 20

/** What no key decrypts, and how to go on. */
export function lostSecrets(places: readonly (readonly string[])[]): PorteiroError {
  const more = places.length - NAMED
  return fail('SECRET_KEY_UNKNOWN', {
    count: places.length,
    problems: [
      ...places.slice(0, NAMED).map((place) => `${place.join(' ')} stops working`),
      ...(more > 0 ? [`and ${more} more: npx porteiro secrets list`] : []),
      'Set SECRET_KEY again as it was, or name that key in SECRET_KEY_OLD.',
      'If it is lost, npx porteiro secrets renew gives up these secrets, so that they can be set anew.',
    ],
  })
}

/** Throws SECRET_KEY_UNKNOWN if a stored secret has a key that this process lacks. */
export async function checkSecrets(database: Querier): Promise<void> {
  const foreign = await listForeignSecrets(database, SECRET_COLUMNS)
  if (foreign.length > 0) throw lostSecrets(foreign)
}
