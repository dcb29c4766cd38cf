import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { groupOf } from './enqueue.ts'
import { PRIORITY } from './message.ts'
import { findOverdue, type MessageRow } from './sql/messages.ts'
import { listPauses, type PauseRow } from './sql/pauses.ts'

/** ms between two polls of the pauses, in case a notification is missed. */
const POLL_MS = 1000
/** Messages that expire in one poll. */
const BATCH = 500

/**
 * - polling: it reads the pauses.
 * - poll-again: it reads them, and a notification came meanwhile: the next poll follows at once.
 * - waiting: until a notification comes or POLL_MS have passed.
 * - closed: nothing follows the poll under way.
 */
type Mode = 'polling' | 'poll-again' | 'waiting' | 'closed'

interface PauseFilterOptions {
  database: Database
  /** Calls `listener` when pauses have changed. Returns unsubscribe. */
  onPauses: (listener: () => void) => () => void
  /** Other messages may be fetched than before. */
  onChange: () => void
  /** The message expired while it was paused. */
  expire: (message: MessageRow) => Promise<void>
  now: () => number
  log: Logger
}

/**
 * Keeps paused messages in the queue. The groups of a paused tenant are learned as their messages come by: of each group, at
 * most one batch is fetched and given back. No fetcher sees paused messages any more, so this also expires those whose time
 * is over.
 */
export function createPauseFilter({ database, onPauses, onChange, expire, now, log }: PauseFilterOptions) {
  let pauses: PauseRow[] | undefined
  /** By tenant. */
  const groups = new Map<string, Set<string>>()
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
      onChange()
    }
  }

  const expireOverdue = async () => {
    if (!pauses || pauses.length === 0) return
    const tenantIds = pauses.map(({ tenantId }) => tenantId)
    const overdue = await findOverdue(database, {
      tenantIds: tenantIds.some((tenantId) => tenantId === null) ? undefined : (tenantIds as string[]),
      belowPriority: PRIORITY.critical,
      at: new Date(now()),
      limit: BATCH,
    })
    await Promise.all(overdue.map(expire))
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

  const unsubscribe = onPauses(() => {
    if (mode === 'polling') mode = 'poll-again'
    else endWait()
  })

  const run = async () => {
    while (mode !== 'closed') {
      mode = 'polling'
      try {
        await poll()
        await expireOverdue()
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
