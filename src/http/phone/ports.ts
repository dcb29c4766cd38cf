import { type Calls, callsAwaitingVisitor, type EntrancePorts, findCall } from '../../calls/index.ts'
import type { Presence } from '../../cluster/index.ts'
import type { Role } from '../../platform/audio.ts'
import type { Database } from '../../platform/postgres/index.ts'
import { withTimeout } from '../../platform/time.ts'

/** `host:port` */
const PLACE = /^(.+):(\d+)$/
/** Limit in ms for writing the journal before a call is looked up. */
const FLUSH_MS = 1000

/** The ports for the telephones of one entrance. */
export interface PhonePorts {
  host: string
  tenantId: string
  visitor: number
  resident: number
}

interface KnownCall {
  tenantId: string
  entrance: string | undefined
  ended: boolean
  /** No process has it: it continues when its visitor reconnects. */
  awaitingVisitor: boolean
}

export interface PhonePortsOptions {
  /** The calls and ports of this process; undefined where it takes no calls. */
  own:
    | {
        calls: Pick<Calls, 'find'>
        entrances: Pick<EntrancePorts, 'of' | 'portsOf'>
        /** The main port pair. */
        ports: Record<Role, number>
        /** Where a browser telephone reaches the ports. */
        host: string
      }
    | undefined
  presence: Presence
  database: Database
  /** Resolves when the journal is written. */
  flush: () => Promise<void>
}

/** Finds the call and the ports that a browser telephone connects to. */
export function createPhonePorts({ own, presence, database, flush }: PhonePortsOptions) {
  /** The main port pair of the only other process that takes calls; with several, the choice would be ambiguous. */
  const elsewhere = (): PhonePorts | undefined => {
    // the latest of each name: a killed process is still listed when its successor has started
    const named = new Map(presence.known().map((node) => [`${node.nodeId} ${node.roles}`, node]))
    const nodes = [...named.values()].filter(({ roles }) => roles.includes('voice'))
    const [, host, visitor] = PLACE.exec(nodes[0]?.addresses['visitor'] ?? '') ?? []
    const [, , resident] = PLACE.exec(nodes[0]?.addresses['resident'] ?? '') ?? []
    if (nodes.length !== 1 || !host || !visitor || !resident) return undefined
    // only that process knows the entrance's tenant, so only keys for all tenants may call it from here
    return { host, tenantId: '', visitor: Number(visitor), resident: Number(resident) }
  }

  return {
    /**
     * The ports of an entrance, undefined for the main port pair: of this process, or of the one that takes calls if this one
     * does not. Undefined where there are none.
     */
    portsOf(entrance: string | undefined): PhonePorts | undefined {
      if (!own) return entrance === undefined ? elsewhere() : undefined
      const ports = own.entrances.portsOf(entrance) ?? (entrance === undefined ? own.ports : undefined)
      return ports && { host: own.host, tenantId: own.entrances.of(entrance).tenantId, ...ports }
    },
    /** Finds a call on any node; undefined if there is none. */
    async callOf(callId: string): Promise<KnownCall | undefined> {
      const live = own?.calls.find(callId)
      if (live)
        return { tenantId: live.tenantId, entrance: live.entrance, ended: false, awaitingVisitor: false }
      // a call that has just ended may not be in the database yet, and its UUID is still taken
      await withTimeout(FLUSH_MS, flush()).catch(() => {})
      const row = await findCall(database, callId)
      if (!row) return undefined
      const ended = row.endedAt !== null
      const awaitingVisitor = !ended && (await callsAwaitingVisitor(database, [callId])).has(callId)
      return { tenantId: row.tenantId, entrance: row.gate ?? undefined, ended, awaitingVisitor }
    },
  }
}
