import { createServer, type Server, type Socket } from 'node:net'
import type { Role } from '../platform/audio.ts'
import { asPorteiroError, type ErrorCode, fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import type { Logger } from '../platform/log.ts'
import { createRefusals, type RefusalLimit } from '../platform/refusals.ts'
import { type AllowList, createAllowList } from './allow-list.ts'
import { type Connection, type ConnectionFeed, createConnection } from './connection.ts'
import { KIND, kindText, NIL_UUID, uuidText } from './frame.ts'
import type { Pacer } from './pacer.ts'
import { createReader } from './reader.ts'

export interface AudioSocketServerOptions {
  log: Logger
  pacer: Pacer
  /** CIDRs that may connect. */
  allow: readonly string[]
  /** Limit in ms for the UUID to arrive. */
  handshakeMs?: number
  /** Connections that may wait for their UUID at a time; one more closes the oldest. */
  maxHandshakes?: number
  /** Called for each UUID. The handler must attach to the connection, hang it up or destroy it. */
  onConnection(connection: Connection): void
  rejections?: RefusalLimit
}

export interface AudioSocketPort {
  host: string
  /** 0: any free port */
  port: number
  role: Role
  /** The entrance of its port pair; undefined for the main one. */
  entrance?: string | undefined
  /** Several threads listen on it, and the kernel spreads connections among them. Linux only. */
  shared?: boolean
  /** CIDRs that may connect, instead of the server's. */
  allow?: readonly string[]
}

export interface AudioSocketCounts {
  /** Open connections with a UUID. */
  open: number
  handshaking: number
  /** All connections that ever sent a UUID. */
  accepted: number
  /** By code: connections rejected before the UUID, and those that failed after it. */
  refused: Partial<Record<ErrorCode, number>>
}

export interface AudioSocketListener {
  readonly port: number
  /** Accepts no more connections; existing ones stay open. */
  close(): void
}

export interface AudioSocketServer {
  /** Errors: PORT_IN_USE, PORT_FORBIDDEN. */
  listen(port: AudioSocketPort): Promise<AudioSocketListener>
  /** Stops listening, destroys the remaining connections and resolves when all are closed. */
  close(): Promise<void>
  counts(): AudioSocketCounts
}

/** Accepts AudioSocket connections on any number of ports. No input of a peer makes it throw. */
export function createAudioSocketServer(options: AudioSocketServerOptions): AudioSocketServer {
  const { log, pacer, onConnection, handshakeMs = 3000, maxHandshakes = 200 } = options
  const allowedAnywhere = createAllowList(options.allow)
  const refusals = createRefusals(log, options.rejections ?? { lines: 5, windowMs: 10_000 }, 'audiosocket')
  const servers = new Set<Server>()
  const open = new Set<Socket>()
  /** In order of arrival, each with its closing function. */
  const handshakes = new Map<Socket, (error: PorteiroError) => void>()
  let accepted = 0

  const accept = (socket: Socket, { role, entrance }: AudioSocketPort, allowed: AllowList) => {
    const remote = remoteOf(socket)
    // a socket without this listener turns its reset into an uncaught exception
    socket.on('error', () => leave(fail('HANDSHAKE_ABANDONED')))
    if (!allowed(socket.remoteAddress)) {
      // a peer that reset before it was accepted has no address
      const gone = socket.remoteAddress === undefined
      const error = gone
        ? fail('HANDSHAKE_ABANDONED')
        : fail('ADDRESS_REFUSED', { address: socket.remoteAddress })
      refusals.note(error, { remote, leg: role })
      socket.destroy()
      return
    }
    let feed: ConnectionFeed | undefined
    let relayed = false
    const timer = setTimeout(() => leave(fail('HANDSHAKE_TIMEOUT', { ms: handshakeMs })), handshakeMs)

    const finish = () => {
      clearTimeout(timer)
      return handshakes.delete(socket)
    }
    const leave = (error: PorteiroError) => {
      if (!finish()) return
      refusals.note(error, { remote, leg: role })
      socket.destroy()
    }

    const reader = createReader((kind, bytes, start, end) => {
      if (feed !== undefined) return feed.message(kind, bytes, start, end)
      // more messages in the same read as a refused first message
      if (!handshakes.has(socket)) return
      if (kind === KIND.slin8 && start === end && !relayed) {
        relayed = true
        return
      }
      if (kind !== KIND.uuid) return leave(fail('HANDSHAKE_INVALID', { kind: kindText(kind) }))
      const id = uuidText(bytes, start)
      if (id === NIL_UUID) return leave(fail('UUID_NIL'))
      finish()
      open.add(socket)
      accepted++
      const onError = (error: PorteiroError) =>
        refusals.note(error, { remote, leg: role, call_id: id, gate: entrance })
      feed = createConnection({ socket, id, role, entrance, remote, relayed, pacer, onError })
      onConnection(feed.connection)
    })

    handshakes.set(socket, leave)
    socket.once('close', () => {
      leave(fail('HANDSHAKE_ABANDONED'))
      open.delete(socket)
    })
    socket.on('end', () => leave(fail('HANDSHAKE_ABANDONED')))
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch (error) {
        if (feed === undefined) leave(asPorteiroError(error))
        else feed.fail(asPorteiroError(error))
      }
    })
    if (handshakes.size > maxHandshakes) {
      const [refuseOldest] = handshakes.values()
      refuseOldest!(fail('HANDSHAKE_CROWDED', { max: maxHandshakes }))
    }
  }

  return {
    async listen(port) {
      const allowed = port.allow ? createAllowList(port.allow) : allowedAnywhere
      const server = createServer({ noDelay: true }, (socket) => accept(socket, port, allowed))
      const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
      server.once('error', reject)
      server.listen({ host: port.host, port: port.port, reusePort: port.shared === true }, resolve)
      await listening.catch((error: NodeJS.ErrnoException) => {
        const details = { host: port.host, port: port.port, reason: reasonOf(error) }
        throw fail(error.code === 'EADDRINUSE' ? 'PORT_IN_USE' : 'PORT_FORBIDDEN', details, error)
      })
      // for example no file descriptors left; open connections go on
      server.on('error', (error) => log.error({ err: error }, 'audiosocket cannot accept'))
      servers.add(server)
      const address = server.address()
      return {
        port: typeof address === 'object' && address !== null ? address.port : port.port,
        close() {
          servers.delete(server)
          server.close()
        },
      }
    },

    async close() {
      const closing = [...servers].map((server) => new Promise((resolve) => server.close(resolve)))
      servers.clear()
      const left = [...handshakes.keys(), ...open]
      // closed by this process, so they do not count as refused
      handshakes.clear()
      for (const socket of left) socket.destroy()
      await Promise.all(closing)
      refusals.close()
    },

    counts: () => ({ open: open.size, handshaking: handshakes.size, accepted, refused: refusals.counts() }),
  }
}

function remoteOf({ remoteAddress = '?', remotePort }: Socket): string {
  const address = remoteAddress.replace(/^::ffff:/, '')
  return `${address.includes(':') ? `[${address}]` : address}:${remotePort}`
}
