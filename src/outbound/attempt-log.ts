import { createBatcher } from '../platform/batch.ts'
import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { AbortCause } from './outcome.ts'
import { type StartedAttempt, writeStarted } from './sql/attempts.ts'

/** ms between two sweeps over the attempts under way. */
const SWEEP_MS = 200
/** ms after which an attempt that is still under way is logged: most end sooner and need no entry. */
const SHORT_ATTEMPT_MS = 100
const BATCH = 500

interface AttemptLogOptions {
  database: Database
  /** Name of the node that makes the attempts. */
  node: string
  log: Logger
}

/**
 * Records which attempts are under way: before the send where a second attempt would do harm, otherwise in batches and only
 * if they last.
 */
export function createAttemptLog({ database, node, log }: AttemptLogOptions) {
  const unwritten = new Map<string, { started: StartedAttempt; controller: AbortController }>()
  const batcher = createBatcher<StartedAttempt, boolean>({
    run: async (started) => {
      const ours = await writeStarted(database, node, started)
      return started.map(({ id }) => ours.has(id))
    },
    max: BATCH,
    splitsAfter: () => false,
  })
  let writing = false

  const sweep = async () => {
    if (writing) return
    const now = Date.now()
    const due = [...unwritten.values()].filter(
      ({ started }) => now - started.startedAt.getTime() >= SHORT_ATTEMPT_MS,
    )
    if (due.length === 0) return
    writing = true
    try {
      const ours = await writeStarted(
        database,
        node,
        due.map(({ started }) => started),
      )
      for (const entry of due) {
        const { id } = entry.started
        // the completer writes those that ended meanwhile
        if (unwritten.get(id) !== entry) continue
        unwritten.delete(id)
        if (!ours.has(id)) entry.controller.abort('lost' satisfies AbortCause)
      }
    } catch (error) {
      log.debug({ reason: reasonOf(error) }, 'cannot record the attempts under way')
    } finally {
      writing = false
    }
  }
  const timer = setInterval(sweep, SWEEP_MS)

  return {
    /** Records the attempt at once; resolves with whether the message is still ours. */
    writeNow: (started: StartedAttempt) => batcher.add(started),
    /**
     * Records the attempt with a later sweep, unless it ends before. Aborts it as `lost` when the message was cancelled or
     * another worker has it.
     */
    add(started: StartedAttempt, controller: AbortController) {
      unwritten.set(started.id, { started, controller })
    },
    /** The attempt has ended. */
    remove(messageId: string) {
      unwritten.delete(messageId)
    },
    close() {
      clearInterval(timer)
      unwritten.clear()
    },
  }
}

export type AttemptLog = ReturnType<typeof createAttemptLog>
