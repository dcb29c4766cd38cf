import type { Socket } from 'node:net'
import { type Role, SAMPLE_RATE } from '../audio.ts'
import { asPorteiroError, fail, type PorteiroError, reasonOf } from '../errors.ts'
import { HANGUP, isKey, KIND, kindText, rateOf } from './frame.ts'
import { type ConnectionListener, createInbox, type Gone } from './inbox.ts'
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
  /** Samples a second of the audio that came last. */
  readonly rate: number
  readonly state: 'open' | 'hangingUp' | 'closed'
  /** Resolves when the socket is closed, whoever closed it. */
  readonly closed: Promise<void>
  /** Once. What came before is delivered in order, as soon as the caller's turn is over. */
  attach(listener: ConnectionListener, source: FrameSource): void
  /** The source has something to play now. */
  wake(): void
  /** Stops the audio and writes 0x00, the last thing that leaves. The socket stays until the peer closes it. */
  hangUp(): void
  destroy(): void
  stats(): ConnectionStats
}

export interface ConnectionOptions {
  /** Its end, error and close are the connection's from now on; its data stays with the server's reader. */
  socket: Socket
  id: string
  role: Role
  gate: string | undefined
  remote: string
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
  const { socket, pacer, onError } = options
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>()
  const inbox = createInbox((thrown) => breakOff(asPorteiroError(thrown)))
  let state: Connection['state'] = 'open'
  let rate = SAMPLE_RATE
  let framesIn = 0
  let framesOut = 0
  let attached = false
  let lane: Lane | undefined

  const close = () => {
    state = 'closed'
    lane?.remove()
    socket.destroy()
  }

  const end = (how: Gone, error?: PorteiroError) => {
    if (state === 'closed') return
    close()
    inbox.gone(how, error)
  }

  const breakOff = (error: PorteiroError) => {
    onError(error)
    end('error', error)
  }

  const write = (frame: Buffer) => {
    framesOut++
    socket.write(frame)
    const bytes = socket.writableLength
    if (bytes > WAITING_LIMIT) breakOff(fail('PEER_STALLED', { bytes }))
  }

  const press = (key: number) => {
    if (isKey(key)) inbox.key(String.fromCharCode(key))
    // such as a telephone's flash, which a PBX may pass on: no reason to end a call
    else onError(fail('FRAME_KEY_UNKNOWN', { byte: kindText(key) }))
  }

  // until somebody listens, what the inbox holds is bounded by the one read that brought the UUID
  socket.pause()
  socket.on('end', () => end('fin'))
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (state === 'closed') return
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') end('rst')
    else breakOff(fail('PEER_LOST', { reason: reasonOf(error) }, error))
  })
  socket.once('close', () => {
    // also when the server destroyed the socket: then nobody is told
    close()
    resolveClosed()
  })

  const connection: Connection = {
    id: options.id,
    role: options.role,
    gate: options.gate,
    remote: options.remote,
    closed,
    get rate() {
      return rate
    },
    get state() {
      return state
    },
    attach(listener, source) {
      if (attached) throw fail('BUG', {}, new Error('a connection has one listener'))
      attached = true
      if (state === 'open') {
        lane = pacer.add(source, write, (thrown) => breakOff(asPorteiroError(thrown)))
      }
      queueMicrotask(() => {
        inbox.open(listener)
        socket.resume()
      })
    },
    wake: () => lane?.wake(),
    hangUp() {
      if (state !== 'open') return
      state = 'hangingUp'
      inbox.limit('end')
      lane?.remove()
      socket.write(HANGUP)
      // without a listener too: only a socket that is read shows that the peer has closed
      socket.resume()
    },
    destroy() {
      inbox.limit('nothing')
      if (state !== 'closed') close()
    },
    stats: () => ({ framesIn, framesOut, bytesIn: socket.bytesRead, bytesOut: socket.bytesWritten }),
  }

  return {
    connection,
    fail(error) {
      if (state !== 'closed') breakOff(error)
    },
    message(kind, bytes, start, stop) {
      if (state === 'closed') return
      const sampleRate = rateOf(kind)
      if (sampleRate !== undefined) {
        if (start === stop) return
        framesIn++
        rate = sampleRate
        inbox.audio(bytes, start, stop, kind)
        lane?.touch()
      } else if (kind === KIND.dtmf) press(bytes[start]!)
      else if (kind === KIND.hangup) end('hangup')
      else if (kind === KIND.uuid) breakOff(fail('UUID_REPEATED', { callId: options.id }))
      else breakOff(fail('PEER_ERROR', { number: bytes[start] ?? 0 }))
    },
  }
}
