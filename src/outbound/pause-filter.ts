import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { groupOf } from './enqueue.ts'
import { PRIORITY } from './message.ts'
import { findOverdue, type MessageRow } from './sql/messages.ts'
import { listPauses, type PauseRow } from './sql/pauses.ts'

/** ms between two looks at the pauses, should a notification be missed. */
const LOOK_MS = 1000
/** Messages that expire at one look. */
const BATCH = 500

interface HoldsOptions {
  database: Database
  /** Hears that pauses have changed. Returns its end. */
  onPauses: (listener: () => void) => () => void
  /** Something may be taken that could not be, or the other way round. */
  onChange: () => void
  /** Its time passed while it was held. */
  expire: (message: MessageRow) => Promise<void>
  now: () => number
  log: Logger
}

/**
 * What this worker holds back. Which groups a tenant has is learned as their messages come by: of each, at most one batch is
 * taken and given back. Nobody takes what is held, so what expires meanwhile is looked for here.
 */
export function createHolds({ database, onPauses, onChange, expire, now, log }: HoldsOptions) {
  let pauses: PauseRow[] | undefined
  /** By tenant. */
  const groups = new Map<string, Set<string>>()
  let stopped = false
  let told = false
  let resume: (() => void) | undefined

  const covers = (tenantId: string) =>
    !pauses || pauses.some((pause) => pause.tenantId === null || pause.tenantId === tenantId)

  const look = async () => {
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
    if (!told && !stopped) {
      const { promise, resolve } = Promise.withResolvers<void>()
      resume = resolve
      const timer = setTimeout(resolve, LOOK_MS)
      await promise
      clearTimeout(timer)
      resume = undefined
    }
    told = false
  }

  const unhear = onPauses(() => {
    told = true
    resume?.()
  })

  const run = async () => {
    while (!stopped) {
      try {
        await look()
        await expireOverdue()
      } catch (error) {
        // what was known holds until the database is back
        log.debug({ reason: reasonOf(error) }, 'the pauses could not be read')
      }
      await wait()
    }
  }
  const running = run()

  return {
    /** Whether the message must wait. */
    has(message: MessageRow): boolean {
      if (message.priority >= PRIORITY.critical || !covers(message.tenantId)) return false
      const known = groups.get(message.tenantId) ?? new Set()
      groups.set(message.tenantId, known.add(groupOf(message)))
      return true
    },
    all: () => !pauses || pauses.some(({ tenantId }) => tenantId === null),
    groups: () => [...groups.values()].flatMap((known) => [...known]),
    async close(): Promise<void> {
      unhear()
      stopped = true
      resume?.()
      await running
    },
  }
}

const named = ({ tenantId }: PauseRow) => tenantId ?? 'everybody'

function keyOf(pauses: readonly PauseRow[]): string {
  return JSON.stringify(pauses.map(({ tenantId, byTenant }) => [tenantId, byTenant]))
}
