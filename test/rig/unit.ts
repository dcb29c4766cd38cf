import { findUnits, type Unit } from '../../src/directory/index.ts'
import type { Querier } from '../../src/platform/postgres/index.ts'

/** The first unit of a number. */
export async function unitOf(database: Querier, tenantId: string, number: string): Promise<Unit | undefined> {
  const [unit] = await findUnits(database, tenantId, number)
  return unit
}
