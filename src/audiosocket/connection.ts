import type { Socket } from 'node:net'
import { type Role, SAMPLE_RATE } from '../platform/audio.ts'
import { asPorteiroError, fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import { HANGUP, isKey, KIND, kindText, rateOf } from './frame.ts'
import type { AudioTrack, FrameSource, Pacer } from './pacer.ts'
import { createUpsampler, type Upsampler } from './upsampler.ts'

/** How a connection ended: the peer closed, reset, or sent 0x00, or `error` has the reason. */
export type Gone = 'fin' | 'rst' | 'hangup' | 'error'

export interface ConnectionListener {
  /** One message of audio, never empty; `bytes.subarray(start - 3, end)` is the whole message and may be kept. */
  audio(bytes: Buffer, start: number, end: number, kind: number): void
  key(key: string): void
  /** Called once, when the peer or an error ended the connection; never after our own destroy(). */
  gone(how: Gone, error?: PorteiroError): void
}

/** Maximum number of unsent bytes for a peer that does not read: one second of audio at 8 kHz. */
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
  /** The entrance of its port; undefined for the main port pair. */
  readonly entrance: string | undefined
  /** address:port of the peer */
  readonly remote: string
  /** Another node relays it here, because this node has the call; see relay.ts. */
  readonly relayed: boolean
  /** Sample rate of the last audio message, in Hz. */
  readonly rate: number
  readonly state: 'open' | 'hangingUp' | 'closed'
  /** Resolves when the socket is closed, whoever closed it. */
  readonly closed: Promise<void>
  /**
   * Earlier events are delivered in order, after the caller's current turn. The source's messages of 8 kHz leave at the rate of
   * the leg's own. Without a source the only output is what `write` gets, unpaced. A second call replaces listener and source of
   * the first: a leg that was held joins its call.
   */
  attach(listener: ConnectionListener, source?: FrameSource): void
  /** Sends one whole audio message at once, if the connection is open. Only for a connection without a source. */
  write(message: Buffer): void
  /** The source has something to play now. */
  wake(): void
  /** Stops the audio and writes 0x00 as the last message. The socket stays open until the peer closes it. */
  hangUp(): void
  destroy(): void
  stats(): ConnectionStats
}

interface ConnectionOptions {
  /** The connection handles its end, error and close from now on; the server's reader keeps its data. */
  socket: Socket
  id: string
  role: Role
  entrance: string | undefined
  remote: string
  relayed: boolean
  pacer: Pacer
  /** Called for every error of the connection, with or without a listener, also for ignored ones. */
  onError(error: PorteiroError): void
}

/** The server's side: it owns the one reader of the socket and passes messages on. */
export interface ConnectionFeed {
  readonly connection: Connection
  message(kind: number, bytes: Buffer, start: number, end: number): void
  /** The stream is lost. */
  fail(error: PorteiroError): void
}

/** A connection from its UUID on. It destroys its socket when the peer has gone or an error occurs. */
export function createConnection(options: ConnectionOptions): ConnectionFeed {
  return new SocketConnection(options)
}

/** Both interfaces and the counters in one object: each frame passes here twice (ADR 27). */
class SocketConnection implements Connection, ConnectionFeed {
  readonly socket: Socket
  readonly pacer: Pacer
  readonly onError: (error: PorteiroError) => void
  listener: ConnectionListener | undefined = undefined
  /** Events before there is a listener, in order. */
  held: (() => void)[] = []
  /** `end`: the listener only gets `gone` from now on; `nothing`: not even that. */
  delivers: 'all' | 'end' | 'nothing' = 'all'
  track: AudioTrack | undefined = undefined
  /** Of a leg that has sent a higher rate than 8 kHz. */
  upsampler: Upsampler | undefined = undefined
  state: Connection['state'] = 'open'
  rate = SAMPLE_RATE
  framesIn = 0
  framesOut = 0
  readonly id: string
  readonly role: Role
  readonly entrance: string | undefined
  readonly remote: string
  readonly relayed: boolean
  readonly closed: Promise<void>

  constructor({ socket, id, role, entrance, remote, relayed, pacer, onError }: ConnectionOptions) {
    this.socket = socket
    this.pacer = pacer
    this.onError = onError
    this.id = id
    this.role = role
    this.entrance = entrance
    this.remote = remote
    this.relayed = relayed
    const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>()
    this.closed = closed
    // until there is a listener, at most the one read that contained the UUID is held
    socket.pause()
    socket.on('end', () => this.end('fin'))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.state === 'closed') return
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.end('rst')
      else this.breakOff(fail('PEER_LOST', { reason: reasonOf(error) }, error))
    })
    socket.once('close', () => {
      // also when the server destroyed the socket; then no listener is called
      this.close()
      resolveClosed()
    })
  }

  get connection(): Connection {
    return this
  }

  attach(listener: ConnectionListener, source?: FrameSource): void {
    this.track?.remove()
    this.track = undefined
    if (this.state === 'open' && source !== undefined) {
      this.track = this.pacer.add(
        source,
        (frame) => this.write(this.rate === SAMPLE_RATE ? frame : this.upsampled(frame)),
        (thrown) => this.breakOff(asPorteiroError(thrown)),
      )
    }
    queueMicrotask(() => {
      this.open(listener)
      this.socket.resume()
    })
  }

  wake(): void {
    this.track?.wake()
  }

  hangUp(): void {
    if (this.state !== 'open') return
    this.state = 'hangingUp'
    this.limit('end')
    this.track?.remove()
    this.socket.write(HANGUP)
    // even without a listener: only a socket that is read notices that the peer has closed
    this.socket.resume()
  }

  destroy(): void {
    this.limit('nothing')
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
      this.audio(bytes, start, stop, kind)
      this.track?.touch()
    } else if (kind === KIND.dtmf) this.press(bytes[start]!)
    else if (kind === KIND.hangup) this.end('hangup')
    else if (kind === KIND.uuid) this.breakOff(fail('UUID_REPEATED', { callId: this.id }))
    else this.breakOff(fail('PEER_ERROR', { number: bytes[start] ?? 0 }))
  }

  audio(bytes: Buffer, start: number, end: number, kind: number): void {
    if (this.delivers !== 'all') return
    if (this.listener === undefined) {
      this.held.push(() => this.audio(bytes, start, end, kind))
      return
    }
    try {
      this.listener.audio(bytes, start, end, kind)
    } catch (error) {
      this.stumble(error)
    }
  }

  press(key: number): void {
    if (isKey(key)) this.key(String.fromCharCode(key))
    // for example a telephone's flash, which a PBX may pass on: no reason to end a call
    else this.onError(fail('FRAME_KEY_UNKNOWN', { byte: kindText(key) }))
  }

  key(key: string): void {
    if (this.delivers !== 'all') return
    if (this.listener === undefined) {
      this.held.push(() => this.key(key))
      return
    }
    try {
      this.listener.key(key)
    } catch (error) {
      this.stumble(error)
    }
  }

  gone(how: Gone, error?: PorteiroError): void {
    if (this.delivers === 'nothing') return
    if (this.listener === undefined) {
      this.held.push(() => this.gone(how, error))
      return
    }
    this.limit('nothing')
    try {
      this.listener.gone(how, error)
    } catch (thrown) {
      this.stumble(thrown)
    }
  }

  /** Delivers the held events in order, and later ones at once. */
  open(listener: ConnectionListener): void {
    this.listener = listener
    const facts = this.held
    this.held = []
    for (const fact of facts) fact()
  }

  limit(to: 'end' | 'nothing'): void {
    if (this.delivers !== 'nothing') this.delivers = to
  }

  /** The listener threw: it only gets `gone` afterwards. */
  stumble(error: unknown): void {
    this.limit('end')
    this.breakOff(asPorteiroError(error))
  }

  write(message: Buffer): void {
    if (this.state !== 'open') return
    this.framesOut++
    this.socket.write(message)
    const bytes = this.socket.writableLength
    if (bytes > WAITING_LIMIT * (this.rate / SAMPLE_RATE)) this.breakOff(fail('PEER_STALLED', { bytes }))
  }

  /** The frame at the rate of the leg: Asterisk drops others where the leg's channel has a format of its own. */
  upsampled(frame: Buffer): Buffer {
    if (this.upsampler?.rate !== this.rate) this.upsampler = createUpsampler(this.rate)
    return this.upsampler.of(frame)
  }

  close(): void {
    this.state = 'closed'
    this.track?.remove()
    this.socket.destroy()
  }

  end(how: Gone, error?: PorteiroError): void {
    if (this.state === 'closed') return
    this.close()
    this.gone(how, error)
  }

  breakOff(error: PorteiroError): void {
    this.onError(error)
    this.end('error', error)
  }
}
