import { fail, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Database } from '../platform/postgres/index.ts'
import { delay } from '../platform/time.ts'
import {
  findTwin,
  LEASE_SECONDS,
  liveNodes,
  type NodeRow,
  removeNode,
  removeTraces,
  silentNodes,
  type Twin,
  writeNode,
} from './sql/nodes.ts'

/** ms between two heartbeats. */
const BEAT_MS = 5000
/** s after which a process counts as silent: two heartbeats were missed. Its lease still holds then. */
const SILENT_SECONDS = 11
/** ms between two looks whether a process of the same name lives. */
const TWIN_POLL_MS = 250
/** s that rows of dead processes and abandoned requests stay, for fault finding. */
const TRACE_SECONDS = 3600

interface PresenceOptions {
  database: Database
  instance: string
  nodeId: string
  roles: readonly string[]
  log: Logger
  /** Ends the wait for a process of the same name. */
  signal?: AbortSignal | undefined
  /** ms between two heartbeats; shorter in tests. */
  beatMs?: number
}

export type Presence = Awaited<ReturnType<typeof enterNodes>>

/**
 * Enters this process among those that share the database, and keeps its lease. Errors: DATABASE_UNREACHABLE; NODE_TAKEN, if a
 * live process has the same name and one of the same roles.
 */
export async function enterNodes(options: PresenceOptions) {
  const { database, instance, nodeId, roles, log, beatMs = BEAT_MS } = options
  const startedAt = new Date()
  const addresses: Record<string, string> = {}
  let away = false
  let known: NodeRow[] = []
  let silent: NodeRow[] = []
  let beating: Promise<void> | undefined
  /** Settles with the last write. */
  let writing: Promise<void> = Promise.resolve()
  let left = false
  let status = (): Record<string, unknown> | null => null

  /** One after the other: a heartbeat that began before a change must not end after it, and take it back. */
  const write = (): Promise<void> => {
    const written = writing.then(() =>
      writeNode(database, { instance, nodeId, roles: [...roles], addresses, startedAt, status: status() }),
    )
    writing = written.catch(() => {})
    return written
  }

  const list = (): Promise<NodeRow[]> => liveNodes(database, LEASE_SECONDS)

  const beat = async () => {
    try {
      await write()
      known = await list()
      silent = await silentNodes(database, { seconds: SILENT_SECONDS, within: TRACE_SECONDS })
      await removeTraces(database, TRACE_SECONDS)
      away = false
    } catch (error) {
      if (!away) log.warn({ reason: reasonOf(error) }, 'the lease of this node could not be renewed')
      away = true
    }
  }

  await write()
  const twin = await liveTwin(database, instance, options.signal ?? new AbortController().signal)
  if (twin) {
    await removeNode(database, instance)
    const shared = roles.filter((role) => twin.roles.includes(role))
    throw fail('NODE_TAKEN', { nodeId, roles: shared.join(', '), instance: twin.instance })
  }
  known = await list()
  const timer = setInterval(() => {
    beating ??= beat().finally(() => {
      beating = undefined
    })
  }, beatMs)

  return {
    instance,
    nodeId,
    /** A readable name of this process alone: several processes may share a NODE_ID. */
    name: `${nodeId}-${instance.slice(0, 4)}`,
    /** Publishes the addresses of this process. */
    async open(found: Record<string, string>) {
      Object.assign(addresses, found)
      await write()
    },
    /** Publishes the status of this process with each heartbeat. */
    async describe(how: () => Record<string, unknown>) {
      status = how
      await write()
    },
    /** Sends a heartbeat now. Never rejects. */
    async renew(): Promise<void> {
      if (left) return
      await write().catch((error) =>
        log.debug({ reason: reasonOf(error) }, 'the status of this node was not written'),
      )
    },
    /** The last heartbeat could not be written. */
    isAway: () => away,
    /** All processes that are alive, this one included. */
    list,
    /** The same, as of the last heartbeat. */
    known: () => known,
    /** Also the processes that ended without signing off, or have missed heartbeats. */
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
      // a write in progress would put the row back
      await Promise.all([beating, writing])
      await removeNode(database, instance).catch((error) =>
        log.warn({ reason: reasonOf(error) }, 'the lease of this node was not removed and will expire'),
      )
    },
  }
}

/**
 * The process that has this one's name, once it is proven to live: its lease was renewed meanwhile. A process that was just
 * killed may keep its connection for as long as its last statement runs. The signal ends the wait without that proof.
 */
async function liveTwin(
  database: Database,
  instance: string,
  signal: AbortSignal,
): Promise<Twin | undefined> {
  let seen = await findTwin(database, instance)
  while (seen) {
    await delay(TWIN_POLL_MS, signal)
    if (signal.aborted) return seen
    const twin = await findTwin(database, instance)
    if (twin?.instance === seen.instance && twin.seenAt > seen.seenAt) return twin
    if (twin?.instance !== seen.instance) seen = twin
  }
}
