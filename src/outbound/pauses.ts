import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import type { Queue } from '../queue/index.ts'
import { groupOf } from './enqueue.ts'
import { PRIORITY } from './message.ts'
import { findOverdue, type MessageRow } from './sql/messages.ts'
import { addPause, deletePause, listPauses, type PauseRow, type PauseScope } from './sql/pauses.ts'

/** Notice to the workers that pauses have changed. */
const PAUSES_CHANGED = 'pauses'
/** ms between two polls of the pauses, in case a notification is missed. */
const POLL_MS = 1000
/** Messages that expire in one poll. */
const BATCH = 500

/**
 * Pauses and resumes messages. Workers apply a pause within a second (`createPauseFilter`); attempts under way come to their end.
 * Critical messages (gates) are never paused.
 */
export function createPauses({ database, queue }: { database: Database; queue: Queue }) {
  const change = async (
    { tenantId }: PauseScope,
    write: (transaction: Parameters<typeof addPause>[0]) => Promise<void>,
  ): Promise<PauseRow[]> => {
    await database.transaction(async (transaction) => {
      await write(transaction)
      await queue.notice(transaction, PAUSES_CHANGED)
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

/**
 * - polling: it reads the pauses.
 * - poll-again: it reads them, and a notification came meanwhile: the next poll follows at once.
 * - waiting: until a notification comes or POLL_MS have passed.
 * - closed: nothing follows the poll under way.
 */
type Mode = 'polling' | 'poll-again' | 'waiting' | 'closed'

interface PauseFilterOptions {
  database: Database
  queue: Queue
  now: () => number
  log: Logger
}

export type PauseFilter = ReturnType<typeof createPauseFilter>

/**
 * Keeps paused messages in the queue. The groups of a paused tenant are learned as their messages come by: of each group, at
 * most one batch is fetched and given back. No poller sees paused messages any more, so this also finds those whose time is
 * over.
 */
export function createPauseFilter({ database, queue, now, log }: PauseFilterOptions) {
  let pauses: PauseRow[] | undefined
  /** By tenant. */
  const groups = new Map<string, Set<string>>()
  const changed = new Set<() => void>()
  const overdue = new Set<(message: MessageRow) => Promise<void>>()
  let mode: Mode = 'polling'
  let endWait = () => {}

  const covers = (tenantId: string) =>
    !pauses || pauses.some((pause) => pause.tenantId === null || pause.tenantId === tenantId)

  const poll = async () => {
    const before = pauses
    pauses = await listPauses(database)
    for (const tenantId of groups.keys()) if (!covers(tenantId)) groups.delete(tenantId)
    if (!before || keyOf(before) !== keyOf(pauses)) {
      if (before || pauses.length > 0) log.info({ pauses: pauses.map(named) }, 'pauses have changed')
      for (const listener of changed) listener()
    }
  }

  const findExpired = async () => {
    if (!pauses || pauses.length === 0) return
    const tenantIds = pauses.map(({ tenantId }) => tenantId)
    const messages = await findOverdue(database, {
      tenantIds: tenantIds.some((tenantId) => tenantId === null) ? undefined : (tenantIds as string[]),
      belowPriority: PRIORITY.critical,
      at: new Date(now()),
      limit: BATCH,
    })
    await Promise.all(messages.flatMap((message) => [...overdue].map((listener) => listener(message))))
  }

  const wait = async () => {
    if (mode !== 'polling') return
    mode = 'waiting'
    const { promise, resolve } = Promise.withResolvers<void>()
    endWait = resolve
    const timer = setTimeout(resolve, POLL_MS)
    await promise
    clearTimeout(timer)
  }

  const unsubscribe = queue.onNotice((notice) => {
    if (notice !== PAUSES_CHANGED) return
    if (mode === 'polling') mode = 'poll-again'
    else endWait()
  })

  const run = async () => {
    while (mode !== 'closed') {
      mode = 'polling'
      try {
        await poll()
        await findExpired()
      } catch (error) {
        // the pauses of the last poll apply until the database is back
        log.debug({ reason: reasonOf(error) }, 'cannot read the pauses')
      }
      await wait()
    }
  }
  const running = run()

  return {
    /** Whether a pause covers the message. */
    has(message: MessageRow): boolean {
      if (message.priority >= PRIORITY.critical || !covers(message.tenantId)) return false
      const known = groups.get(message.tenantId) ?? new Set()
      groups.set(message.tenantId, known.add(groupOf(message)))
      return true
    },
    all: () => !pauses || pauses.some(({ tenantId }) => tenantId === null),
    groups: () => [...groups.values()].flatMap((known) => [...known]),
    /** Calls `listener` when other messages may be fetched than before. */
    onChange: (listener: () => void) => void changed.add(listener),
    /** Calls `listener` with each message that expired while it was paused. */
    onOverdue: (listener: (message: MessageRow) => Promise<void>) => void overdue.add(listener),
    async close(): Promise<void> {
      unsubscribe()
      mode = 'closed'
      endWait()
      await running
    },
  }
}

const named = ({ tenantId }: PauseRow) => tenantId ?? 'everybody'

function keyOf(pauses: readonly PauseRow[]): string {
  return JSON.stringify(pauses.map(({ tenantId, byTenant }) => [tenantId, byTenant]))
}
