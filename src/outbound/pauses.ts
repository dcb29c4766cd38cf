import type { Database } from '../platform/postgres/index.ts'
import type { Boss } from '../queue/index.ts'
import { addPause, deletePause, listPauses, type PauseRow, type PauseScope } from './sql/pauses.ts'

/** What workers hear when pauses have changed. */
export const PAUSES_CHANGED = 'pauses'

/**
 * Who lets messages wait and go on. Workers hold back what a pause covers within a second (pause-filter.ts); tries that are under
 * way come to their end. Critical messages (gates) are never held.
 */
export function createPauses({ database, boss }: { database: Database; boss: Boss }) {
  const change = async (
    { tenantId }: PauseScope,
    write: (transaction: Parameters<typeof addPause>[0]) => Promise<void>,
  ): Promise<PauseRow[]> => {
    await database.transaction(async (transaction) => {
      await write(transaction)
      await boss.notice(transaction, PAUSES_CHANGED)
    })
    return listPauses(database, tenantId ?? undefined)
  }

  return {
    /** Resolves with the pauses that hold what was asked about. Throws TENANT_UNKNOWN. */
    pause: (scope: PauseScope & { by: string }) =>
      change(scope, (transaction) => addPause(transaction, scope)),
    /** Resolves with the pauses that still do: those of everybody, or put above a tenant that lifts its own. */
    resume: (scope: PauseScope) => change(scope, (transaction) => deletePause(transaction, scope)),
  }
}
