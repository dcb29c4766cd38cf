import { type Connection, type ConnectionListener, type Relay, relay } from '../audiosocket/index.ts'
import type { Logger } from '../platform/log.ts'

/** Maximum ms for the other node to accept; Asterisk drops a silent leg after two seconds. */
const CONNECT_MS = 1000

/** What the leg did while it was held goes to the next listener. */
type Release = (next?: ConnectionListener) => void

interface RelaysOptions {
  /** ms between 0x00 and closing the sockets ourselves. */
  graceMs: number
  /** Rejects a leg whose node cannot be reached. */
  rejectWithPrompt: (connection: Connection) => void
  log: Logger
}

/** Carries legs to the nodes and threads on which their calls live. */
export function createRelays({ graceMs, rejectWithPrompt, log }: RelaysOptions) {
  const open = new Set<Relay>()
  let closed = false

  /** Resolves when the other side has accepted, or the leg was rejected: with whether it accepted. */
  const carry = async (connection: Connection, address: string, release?: Release, again = false) => {
    const { host, port } = partsOf(address)
    const facts = { call_id: connection.id, leg: connection.role, address }
    const carried = relay({ connection, host, port, connectMs: CONNECT_MS, again, onOpen: release, graceMs })
    open.add(carried)
    try {
      await carried.opened
    } catch (error) {
      open.delete(carried)
      release?.()
      log.warn({ ...facts, code: 'RELAY_FAILED', err: error }, 'a leg could not be relayed to its call')
      rejectWithPrompt(connection)
      return false
    }
    log.info({ ...facts, remote: connection.remote }, 'a leg is relayed to its call')
    if (closed) carried.close()
    void carried.done.then(({ by, error }) => {
      open.delete(carried)
      if (error) log.warn({ ...facts, by, code: error.code, ...error.details }, 'a relayed leg broke off')
      else log.info({ ...facts, by }, 'a relayed leg ended')
    })
    return true
  }

  return {
    /**
     * `address`: host:port of the other node for residents' legs. `release` ends the hold of a held leg. `again`: also a leg
     * that was relayed here. Resolves with whether the other side has accepted. Never rejects.
     */
    carry,
    /** Resolves when the last relay has ended. */
    async drained(): Promise<void> {
      while (open.size > 0) await Promise.all([...open].map(({ done }) => done))
    },
    /** Hangs up all legs; resolves when they are closed. */
    async close(): Promise<void> {
      closed = true
      const ending = [...open].map((one) => {
        one.close()
        return one.done
      })
      await Promise.all(ending)
    },
  }
}

/** IPv6 addresses are in brackets. */
function partsOf(address: string): { host: string; port: number } {
  const end = address.lastIndexOf(':')
  return { host: address.slice(0, end).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(end + 1)) }
}
