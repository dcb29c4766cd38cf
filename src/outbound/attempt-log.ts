import { createBatcher } from '../platform/batch.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Begun } from './sql/attempts.ts'

/** ms between two looks at the tries under way. */
const EVERY_MS = 200
/** ms after which a try that is still under way is noted: most are over sooner, and need no note. */
const PATIENCE_MS = 100
const BATCH = 500

interface MarksOptions {
  /** Resolves with the ids of those whose claim stands. */
  write: (begun: readonly Begun[]) => Promise<Set<string>>
  /** The message was cancelled or is somebody else's by now. */
  onLost: (messageId: string) => void
  log: Logger
}

/** Notes which tries are under way: at once where a second try would do harm, else in batches and only if they last. */
export function createMarks({ write, onLost, log }: MarksOptions) {
  const unmarked = new Map<string, Begun>()
  const batcher = createBatcher<Begun, boolean>({
    run: async (begun) => {
      const standing = await write(begun)
      return begun.map(({ id }) => standing.has(id))
    },
    max: BATCH,
    splitsAfter: () => false,
  })
  let writing = false

  const sweep = async () => {
    if (writing) return
    const now = Date.now()
    const due = [...unmarked.values()].filter(({ startedAt }) => now - startedAt.getTime() >= PATIENCE_MS)
    if (due.length === 0) return
    writing = true
    try {
      const standing = await write(due)
      for (const { id } of due) {
        // one that ended meanwhile is settled by its outcome
        if (unmarked.delete(id) && !standing.has(id)) onLost(id)
      }
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'tries under way could not be noted')
    } finally {
      writing = false
    }
  }
  const timer = setInterval(sweep, EVERY_MS)

  return {
    /** Resolves with whether the claim stands, once the try is on record. */
    begin: (begun: Begun) => batcher.add(begun),
    note(begun: Begun) {
      unmarked.set(begun.id, begun)
    },
    forget(messageId: string) {
      unmarked.delete(messageId)
    },
    close() {
      clearInterval(timer)
      unmarked.clear()
    },
  }
}

export type Marks = ReturnType<typeof createMarks>
