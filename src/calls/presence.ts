import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../store/database.ts'
import { removeOldRequests } from '../store/node-requests.ts'
import { liveNodes, type NodeRow, removeLostNodes, removeNode, writeNode } from '../store/nodes.ts'

/** ms between two signs of life. */
const BEAT_MS = 5000
/** s after the last one for which a process counts as alive: three are missed. */
const LEASE_SECONDS = 16
/** s that the traces of what is over are kept, for whoever looks for a fault. */
const TRACE_SECONDS = 3600

export interface PresenceOptions {
  database: Database
  instance: string
  nodeId: string
  roles: readonly string[]
  log: Logger
}

export type Presence = Awaited<ReturnType<typeof enterNodes>>

/** Enters this process among those that share the database, and keeps its lease. Errors: DATABASE_UNREACHABLE. */
export async function enterNodes({ database, instance, nodeId, roles, log }: PresenceOptions) {
  const startedAt = new Date()
  const addresses: Record<string, string> = {}
  let away = false
  let known: NodeRow[] = []
  let beating: Promise<void> | undefined

  const write = () => writeNode(database, { instance, nodeId, roles: [...roles], addresses, startedAt })

  const list = (): Promise<NodeRow[]> => liveNodes(database, LEASE_SECONDS)

  const beat = async () => {
    try {
      await write()
      known = await list()
      await removeLostNodes(database, TRACE_SECONDS)
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
  }, BEAT_MS)

  return {
    instance,
    nodeId,
    /** Tells the others where something of this process is to be found. */
    async open(found: Record<string, string>) {
      Object.assign(addresses, found)
      await write()
    },
    /** The lease could not be renewed the last time. */
    isAway: () => away,
    /** All that are alive, this one too. */
    list,
    /** The same as of the last beat. */
    known: () => known,
    async leave() {
      clearInterval(timer)
      await beating
      await removeNode(database, instance).catch((error) =>
        log.warn({ reason: reasonOf(error) }, 'the lease of this node runs out by itself'),
      )
    },
  }
}
