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

/** What a refresh or a restart did to the ports. */
export interface PortChanges {
  opened: EntrancePort[]
  closed: EntrancePort[]
  failed: (EntrancePort & { code: ErrorCode; message: string })[]
}

export type EntrancePorts = Awaited<ReturnType<typeof createEntrancePorts>>

/**
 * The gates beside the main port pair, each on ports of its own, which the first refresh opens. Closing a port leaves the
 * calls that came in by it alone. Whoever owns the AudioSocket server closes what is left.
 */
export async function createEntrancePorts(options: EntrancePortsOptions) {
  const { database, host, listen, log } = options
  const open = new Map<number, EntrancePort & { listener: AudioSocketListener }>()
  let { main, known, pairs, ports } = await readEntrances(database, options)
  let working: Promise<unknown> = Promise.resolve()

  const openAll = async (wanted: readonly EntrancePort[], changes: PortChanges) => {
    for (const one of wanted) {
      const { gate, role, port } = one
      if (open.has(port)) continue
      try {
        open.set(port, { ...one, listener: await listen({ host, port, role, gate }) })
        changes.opened.push(one)
      } catch (error) {
        // one gate that cannot be opened must not keep the others from working
        const { code, message } = asPorteiroError(error)
        changes.failed.push({ ...one, code, message })
        log.error({ gate, leg: role, code, port }, message)
      }
    }
    return changes
  }

  const close = (one: EntrancePort, changes: PortChanges) => {
    open.get(one.port)?.listener.close()
    open.delete(one.port)
    changes.closed.push({ gate: one.gate, role: one.role, port: one.port })
  }

  /** One after the other: two that run at once would open a port twice. */
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
        ({ gate, role, port }) => port === one.port && role === one.role && gate === one.gate,
      )
      if (!stays) close(one, changes)
    }
    main = read.main
    pairs = read.pairs
    ports = read.ports
    // a live call may belong to a gate that is gone, and its resident may still come
    known = new Map([...known, ...read.known])
    return openAll(ports, changes)
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
    /** The gate of a connection; without a name it is the main port pair's. */
    of: (gate: string | undefined): Entrance => (gate === undefined ? undefined : known.get(gate)) ?? main,
    /** Reads the extensions again, closes the ports that are gone and opens new ones. Live calls stay. */
    refresh: () => inTurn(refresh),
    /**
     * Closes and opens the ports of one extension; the main pair is none's and stays. Errors: EXTENSION_UNKNOWN, also for one
     * that was added since the last refresh.
     */
    restart: (id: string) => inTurn(() => restart(id)),
    /** The ports of an extension; undefined for one that is not known here. */
    portsOf: (id: string | undefined): Record<Role, number> | undefined =>
      id === undefined ? undefined : pairs.get(id),
    /** Whether an extension's ports are open here; those of the main pair always are. */
    isOpen,
    /** The ports that are open here beside the main pair. */
    open: (): number[] => [...open.keys()],
    /** The extensions of which a port is not open, such as one that another process has. */
    closed: (): string[] =>
      [...pairs.keys()].filter((id) => {
        const { visitor, resident } = isOpen(id)
        return !visitor || !resident
      }),
  }
}

function nothing(): PortChanges {
  return { opened: [], closed: [], failed: [] }
}
