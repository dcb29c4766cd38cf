import type { Database } from '../platform/postgres/index.ts'
import type { Boss } from '../queue/index.ts'
import { addPause, deletePause, listPauses, type PauseRow, type PauseScope } from './sql/pauses.ts'

/** Notice to the workers that pauses have changed. */
export const PAUSES_CHANGED = 'pauses'

/**
 * Pauses and resumes messages. Workers apply a pause within a second (pause-filter.ts); attempts under way come to their end.
 * Critical messages (gates) are never paused.
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
    /** Resolves with the pauses that now apply. Throws TENANT_UNKNOWN. */
    pause: (scope: PauseScope & { by: string }) =>
      change(scope, (transaction) => addPause(transaction, scope)),
    /** Resolves with the pauses that still apply: those of everybody, or set by the operator when a tenant lifts its own. */
    resume: (scope: PauseScope) => change(scope, (transaction) => deletePause(transaction, scope)),
  }
}
