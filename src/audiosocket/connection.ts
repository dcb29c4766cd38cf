import type { Socket } from 'node:net'
import { type Role, SAMPLE_RATE } from '../platform/audio.ts'
import { asPorteiroError, fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import { HANGUP, isKey, KIND, kindText, rateOf } from './frame.ts'
import { type ConnectionListener, createInbox, type Gone, type Inbox } from './inbox.ts'
import type { FrameSource, Lane, Pacer } from './pacer.ts'

export type { ConnectionListener, Gone }

/** Bytes that may wait for a peer that does not read: one second of audio. */
const WAITING_LIMIT = 16 * 1024

export interface ConnectionStats {
  /** Audio messages. */
  framesIn: number
  /** Frames written, keep-alive silence included. */
  framesOut: number
  bytesIn: number
  bytesOut: number
}

export interface Connection {
  /** The call's UUID, lower case. */
  readonly id: string
  readonly role: Role
  readonly gate: string | undefined
  /** address:port of the peer */
  readonly remote: string
  /** It comes from another node, which found the call to be here; see relay.ts. */
  readonly relayed: boolean
  /** Samples a second of the audio that came last. */
  readonly rate: number
  readonly state: 'open' | 'hangingUp' | 'closed'
  /** Resolves when the socket is closed, whoever closed it. */
  readonly closed: Promise<void>
  /**
   * Once. What came before is delivered in order, as soon as the caller's turn is over. Without a source nothing leaves but
   * what is written, and nobody paces it.
   */
  attach(listener: ConnectionListener, source?: FrameSource): void
  /** One whole message of audio, at once; nothing where the connection is not open. For a connection without a source. */
  write(message: Buffer): void
  /** The source has something to play now. */
  wake(): void
  /** Stops the audio and writes 0x00, the last thing that leaves. The socket stays until the peer closes it. */
  hangUp(): void
  destroy(): void
  stats(): ConnectionStats
}

interface ConnectionOptions {
  /** Its end, error and close are the connection's from now on; its data stays with the server's reader. */
  socket: Socket
  id: string
  role: Role
  gate: string | undefined
  remote: string
  relayed: boolean
  pacer: Pacer
  /** Told of whatever went wrong on the connection, listener or not; also of what was ignored. */
  onError(error: PorteiroError): void
}

/** What the server, which has the one reader of the socket, hands on. */
export interface ConnectionFeed {
  readonly connection: Connection
  message(kind: number, bytes: Buffer, start: number, end: number): void
  /** The stream is lost. */
  fail(error: PorteiroError): void
}

/** A connection from its UUID on. It destroys its socket by itself once the peer has gone or an error came. */
export function createConnection(options: ConnectionOptions): ConnectionFeed {
  return new SocketConnection(options)
}

/** Both sides of it in one object, with its counters beside each other: each frame passes here twice (ADR 27). */
class SocketConnection implements Connection, ConnectionFeed {
  readonly socket: Socket
  readonly pacer: Pacer
  readonly inbox: Inbox
  readonly onError: (error: PorteiroError) => void
  lane: Lane | undefined = undefined
  state: Connection['state'] = 'open'
  rate = SAMPLE_RATE
  framesIn = 0
  framesOut = 0
  attached = false
  readonly id: string
  readonly role: Role
  readonly gate: string | undefined
  readonly remote: string
  readonly relayed: boolean
  readonly closed: Promise<void>

  constructor({ socket, id, role, gate, remote, relayed, pacer, onError }: ConnectionOptions) {
    this.socket = socket
    this.pacer = pacer
    this.onError = onError
    this.inbox = createInbox((thrown) => this.breakOff(asPorteiroError(thrown)))
    this.id = id
    this.role = role
    this.gate = gate
    this.remote = remote
    this.relayed = relayed
    const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>()
    this.closed = closed
    // until somebody listens, what the inbox holds is bounded by the one read that brought the UUID
    socket.pause()
    socket.on('end', () => this.end('fin'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.state === 'closed') return
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.end('rst')
      else this.breakOff(fail('PEER_LOST', { reason: reasonOf(error) }, error))
    })
    socket.once('close', () => {
      // also when the server destroyed the socket: then nobody is told
      this.close()
      resolveClosed()
    })
  }

  get connection(): Connection {
    return this
  }

  attach(listener: ConnectionListener, source?: FrameSource): void {
    if (this.attached) throw fail('BUG', {}, new Error('a connection has one listener'))
    this.attached = true
    if (this.state === 'open' && source !== undefined) {
      this.lane = this.pacer.add(
        source,
        (frame) => this.write(frame),
        (thrown) => this.breakOff(asPorteiroError(thrown)),
      )
    }
    queueMicrotask(() => {
      this.inbox.open(listener)
      this.socket.resume()
    })
  }

  wake(): void {
    this.lane?.wake()
  }

  hangUp(): void {
    if (this.state !== 'open') return
    this.state = 'hangingUp'
    this.inbox.limit('end')
    this.lane?.remove()
    this.socket.write(HANGUP)
    // without a listener too: only a socket that is read shows that the peer has closed
    this.socket.resume()
  }

  destroy(): void {
    this.inbox.limit('nothing')
    if (this.state !== 'closed') this.close()
  }

  stats(): ConnectionStats {
    const { framesIn, framesOut, socket } = this
    return { framesIn, framesOut, bytesIn: socket.bytesRead, bytesOut: socket.bytesWritten }
  }

  fail(error: PorteiroError): void {
    if (this.state !== 'closed') this.breakOff(error)
  }

  message(kind: number, bytes: Buffer, start: number, stop: number): void {
    if (this.state === 'closed') return
    const sampleRate = rateOf(kind)
    if (sampleRate !== undefined) {
      if (start === stop) return
      this.framesIn++
      this.rate = sampleRate
      this.inbox.audio(bytes, start, stop, kind)
      this.lane?.touch()
    } else if (kind === KIND.dtmf) this.press(bytes[start]!)
    else if (kind === KIND.hangup) this.end('hangup')
    else if (kind === KIND.uuid) this.breakOff(fail('UUID_REPEATED', { callId: this.id }))
    else this.breakOff(fail('PEER_ERROR', { number: bytes[start] ?? 0 }))
  }

  press(key: number): void {
    if (isKey(key)) this.inbox.key(String.fromCharCode(key))
    // such as a telephone's flash, which a PBX may pass on: no reason to end a call
    else this.onError(fail('FRAME_KEY_UNKNOWN', { byte: kindText(key) }))
  }

  write(message: Buffer): void {
    if (this.state !== 'open') return
    this.framesOut++
    this.socket.write(message)
    const bytes = this.socket.writableLength
    if (bytes > WAITING_LIMIT) this.breakOff(fail('PEER_STALLED', { bytes }))
  }

  close(): void {
    this.state = 'closed'
    this.lane?.remove()
    this.socket.destroy()
  }

  end(how: Gone, error?: PorteiroError): void {
    if (this.state === 'closed') return
    this.close()
    this.inbox.gone(how, error)
  }

  breakOff(error: PorteiroError): void {
    this.onError(error)
    this.end('error', error)
  }
}
