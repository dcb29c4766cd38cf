import type { AudioSocketListener, AudioSocketPort } from '../audiosocket/index.ts'
import { type Entrance, type EntranceOptions, type EntrancePort, readEntrances } from '../directory/index.ts'
import type { Role } from '../platform/audio.ts'
import { asPorteiroError, type ErrorCode, fail } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import type { Querier } from '../platform/postgres/index.ts'

interface EntrancePortsOptions extends EntranceOptions {
  database: Querier
  host: string
  /** Errors: PORT_IN_USE, PORT_FORBIDDEN. */
  listen: (port: AudioSocketPort) => Promise<AudioSocketListener>
  log: Logger
}

/** The result of a refresh or restart. */
export interface PortChanges {
  opened: ChangedPort[]
  closed: ChangedPort[]
  failed: (ChangedPort & { code: ErrorCode; message: string })[]
}

/** As the API and other processes know it: `gate` is the entrance. */
interface ChangedPort {
  gate: string
  role: Role
  port: number
}

export type EntrancePorts = Awaited<ReturnType<typeof createEntrancePorts>>

/**
 * The entrances beside the main port pair. Each has its own port pair, which the first refresh opens. Closing a port does not
 * touch the calls that came in by it. The owner of the AudioSocket server closes the remaining ports.
 */
export async function createEntrancePorts(options: EntrancePortsOptions) {
  const { database, host, listen, log } = options
  const open = new Map<number, EntrancePort & { listener: AudioSocketListener }>()
  let { main, known, pairs, ports } = await readEntrances(database, options)
  let working: Promise<unknown> = Promise.resolve()

  const openAll = async (wanted: readonly EntrancePort[], changes: PortChanges) => {
    for (const one of wanted) {
      const { entrance, role, port } = one
      if (open.has(port)) continue
      try {
        open.set(port, { ...one, listener: await listen({ host, port, role, entrance }) })
        changes.opened.push(changed(one))
      } catch (error) {
        // an entrance whose port cannot be opened must not affect the others
        const { code, message } = asPorteiroError(error)
        changes.failed.push({ ...changed(one), code, message })
        log.error({ gate: entrance, leg: role, code, port }, message)
      }
    }
    return changes
  }

  const close = (one: EntrancePort, changes: PortChanges) => {
    open.get(one.port)?.listener.close()
    open.delete(one.port)
    changes.closed.push(changed(one))
  }

  /** Serialises changes: two at once would open a port twice. */
  const inTurn = (work: () => Promise<PortChanges>): Promise<PortChanges> => {
    const result = working.then(work)
    working = result.catch(() => {})
    return result
  }

  const refresh = async () => {
    const changes = nothing()
    const read = await readEntrances(database, options)
    for (const one of [...open.values()]) {
      const stays = read.ports.some(
        ({ entrance, role, port }) => port === one.port && role === one.role && entrance === one.entrance,
      )
      if (!stays) close(one, changes)
    }
    main = read.main
    pairs = read.pairs
    ports = read.ports
    // a live call may belong to a removed entrance, and its resident may still answer
    known = new Map([...known, ...read.known])
    return openAll(ports, changes)
  }

  /** Name, language and barge-in of the tenants; ports and entrances stay. */
  const renew = async () => {
    const read = await readEntrances(database, options)
    const facts = new Map([read.main, ...read.known.values()].map((one) => [one.tenantId, one]))
    const renewed = (one: Entrance) => facts.get(one.tenantId) ?? one
    main = renewed(main)
    known = new Map([...known].map(([id, one]) => [id, renewed(one)]))
    return nothing()
  }

  const restart = async (id: string) => {
    const pair = pairs.get(id)
    if (!pair) throw fail('EXTENSION_UNKNOWN', { id })
    const own = ports.filter(({ port }) => port === pair.visitor || port === pair.resident)
    const changes = nothing()
    for (const one of own) if (open.has(one.port)) close(one, changes)
    return openAll(own, changes)
  }

  const isOpen = (id: string): Record<Role, boolean> => {
    const { visitorPort, residentPort } = options
    const has = (port: number | undefined) =>
      port !== undefined && (open.has(port) || port === visitorPort || port === residentPort)
    const pair = pairs.get(id)
    return { visitor: has(pair?.visitor), resident: has(pair?.resident) }
  }

  return {
    /** The entrance of a leg; without a name, that of the main port pair. */
    of: (entrance: string | undefined): Entrance =>
      (entrance === undefined ? undefined : known.get(entrance)) ?? main,
    /** The tenants whose visitors come in here. */
    tenants: (): string[] => [...new Set([main, ...known.values()].map(({ tenantId }) => tenantId))],
    /**
     * Whether a resident's leg of this tenant's call may come in by an entrance: its own, and the main port pair for tenants without
     * one.
     */
    admits(tenantId: string, entrance: string | undefined): boolean {
      if (entrance !== undefined) return known.get(entrance)?.tenantId === tenantId
      const own = [...open.values()].some((one) => known.get(one.entrance)?.tenantId === tenantId)
      return main.tenantId === tenantId || !own
    },
    /** Reads the extensions again, closes removed ports and opens new ones. Live calls stay. */
    refresh: () => inTurn(refresh),
    /** Reads the settings of the tenants again, for the next call. */
    renew: async (): Promise<void> => void (await inTurn(renew)),
    /**
     * Closes and opens the ports of one extension; the main pair belongs to none and stays open. Errors: EXTENSION_UNKNOWN, also
     * for an extension that was added since the last refresh.
     */
    restart: (id: string) => inTurn(() => restart(id)),
    /** The ports of an extension; undefined if the extension is unknown here. */
    portsOf: (id: string | undefined): Record<Role, number> | undefined =>
      id === undefined ? undefined : pairs.get(id),
    /** Whether an extension's ports are open here; the main pair's always are. */
    isOpen,
    /** Open ports beside the main pair. */
    open: (): number[] => [...open.keys()],
    /** Extensions with a port that is not open, such as one that another process uses. */
    closed: (): string[] =>
      [...pairs.keys()].filter((id) => {
        const { visitor, resident } = isOpen(id)
        return !visitor || !resident
      }),
  }
}

function changed({ entrance, role, port }: EntrancePort): ChangedPort {
  return { gate: entrance, role, port }
}

function nothing(): PortChanges {
  return { opened: [], closed: [], failed: [] }
}
