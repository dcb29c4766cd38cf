import { reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import {
  LEASE_SECONDS,
  liveNodes,
  type NodeRow,
  removeExpiredNodes,
  removeNode,
  silentNodes,
  writeNode,
} from './sql/nodes.ts'
import { removeOldRequests } from './sql/requests.ts'

/** ms between two signs of life. */
const BEAT_MS = 5000
/** s after which a process is said to be silent: two signs of life are missed. Its lease still holds then. */
const SILENT_SECONDS = 11
/** s that the traces of what nobody waited for are kept, for whoever looks for a fault. */
const TRACE_SECONDS = 3600

interface PresenceOptions {
  database: Database
  instance: string
  nodeId: string
  roles: readonly string[]
  log: Logger
  /** ms between two signs of life, where a test has less patience. */
  beatMs?: number
}

export type Presence = Awaited<ReturnType<typeof enterNodes>>

/** Enters this process among those that share the database, and keeps its lease. Errors: DATABASE_UNREACHABLE. */
export async function enterNodes(options: PresenceOptions) {
  const { database, instance, nodeId, roles, log, beatMs = BEAT_MS } = options
  const startedAt = new Date()
  const addresses: Record<string, string> = {}
  let away = false
  let known: NodeRow[] = []
  let silent: NodeRow[] = []
  let beating: Promise<void> | undefined
  let writing: Promise<void> | undefined
  let left = false
  let status = (): Record<string, unknown> | null => null

  const write = () =>
    writeNode(database, { instance, nodeId, roles: [...roles], addresses, startedAt, status: status() })

  const list = (): Promise<NodeRow[]> => liveNodes(database, LEASE_SECONDS)

  const beat = async () => {
    try {
      await write()
      known = await list()
      silent = await silentNodes(database, { seconds: SILENT_SECONDS, within: TRACE_SECONDS })
      await removeExpiredNodes(database, TRACE_SECONDS)
      await removeOldRequests(database, TRACE_SECONDS)
      away = false
    } catch (error) {
      if (!away) log.warn({ reason: reasonOf(error) }, 'the lease of this node could not be renewed')
      away = true
    }
  }

  await write()
  known = await list()
  const timer = setInterval(() => {
    beating ??= beat().finally(() => {
      beating = undefined
    })
  }, beatMs)

  return {
    instance,
    nodeId,
    /** Of this process alone, and fit to be read: NODE_ID may be that of several. */
    name: `${nodeId}-${instance.slice(0, 4)}`,
    /** Tells the others where something of this process is to be found. */
    async open(found: Record<string, string>) {
      Object.assign(addresses, found)
      await write()
    },
    /** Tells the others, with each sign of life, how this process is. */
    async describe(how: () => Record<string, unknown>) {
      status = how
      await write()
    },
    /** Tells them so before the next sign of life. Never rejects. */
    async renew(): Promise<void> {
      if (left) return
      writing = write().catch((error) =>
        log.debug({ reason: reasonOf(error) }, 'the state of this node waits'),
      )
      await writing
    },
    /** The lease could not be renewed the last time. */
    isAway: () => away,
    /** All that are alive, this one too. */
    list,
    /** The same as of the last beat. */
    known: () => known,
    /** Those too that ended without a word, or are about to be taken for it. */
    seen(): (NodeRow & { isSilent: boolean })[] {
      const lost = new Set(silent.map((one) => one.instance))
      const alive = known.filter((one) => !lost.has(one.instance))
      return [
        ...alive.map((one) => ({ ...one, isSilent: false })),
        ...silent.map((one) => ({ ...one, isSilent: true })),
      ]
    },
    async leave() {
      clearInterval(timer)
      left = true
      // what is on its way would put the row back
      await Promise.all([beating, writing])
      await removeNode(database, instance).catch((error) =>
        log.warn({ reason: reasonOf(error) }, 'the lease of this node runs out by itself'),
      )
    },
  }
}
