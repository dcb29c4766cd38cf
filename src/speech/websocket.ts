import { type ClientOptions, WebSocket } from 'ws'
import { fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import { endingOf } from './time-limit.ts'

/** A connection to a WebSocket server, with the errors of speech. */
export interface WebSocketClient {
  /** Sends a string as text, bytes as binary. Returns false and sends nothing after either side began to close. */
  send(data: string | Uint8Array): boolean
  /**
   * Resolves when the server has closed properly; rejects with SPEECH_UNREACHABLE, SPEECH_INVALID or the signal's
   * reason.
   */
  readonly closed: Promise<void>
  /** Begins to close; the socket is destroyed after a second at most, whatever the server does. */
  close(): void
}

interface WebSocketOptions {
  /** Name for errors. */
  provider: string
  /** ws:// or wss:// */
  url: string
  /** Ends the connection at once, in every state. */
  signal: AbortSignal
  onText: (text: string) => void
}

const SETTINGS: ClientOptions & { closeTimeout: number } = {
  // a transcript of 10 kB with one line per word has 100 kB
  maxPayload: 1024 * 1024,
  // sound does not compress, and trying costs processor time
  perMessageDeflate: false,
  // ms from the first close frame to the end of the socket: more than one round trip; the library's default is 30 s
  closeTimeout: 1000,
}

/** The close code of a connection that ended without a close frame (RFC 6455, 7.1.5). */
const ABNORMAL = 1006

/**
 * Connects. Rejects with SPEECH_UNREACHABLE, SPEECH_REFUSED (any status but 101), SPEECH_INVALID or the signal's reason.
 * Node's own WebSocket does not distinguish these and cannot drop a server that never closes its side.
 */
export function openWebSocket({ provider, url, signal, onText }: WebSocketOptions): Promise<WebSocketClient> {
  if (signal.aborted) return Promise.reject(endingOf(signal))
  const opening = Promise.withResolvers<WebSocketClient>()
  const closing = Promise.withResolvers<void>()
  // callers may await it later
  closing.promise.catch(() => {})
  const socket = new WebSocket(url, SETTINGS)
  const end = (error: PorteiroError) => {
    opening.reject(error)
    closing.reject(error)
    socket.terminate()
  }
  const abort = () => end(endingOf(signal))
  signal.addEventListener('abort', abort, { once: true })
  socket.once('unexpected-response', (_request, { statusCode }) =>
    end(fail('SPEECH_REFUSED', { provider, status: statusCode })),
  )
  // several errors may occur: terminating a connection that is not open yet is an error too
  socket.on('error', (cause) => end(faultOf(provider, cause)))
  socket.on('message', (data, isBinary) => {
    if (!isBinary) onText(data.toString())
  })
  socket.once('close', (code) => {
    signal.removeEventListener('abort', abort)
    if (code === ABNORMAL) end(fail('SPEECH_UNREACHABLE', { provider, reason: 'the connection broke' }))
    else closing.resolve()
  })
  socket.once('open', () =>
    opening.resolve({
      send(data) {
        const open = socket.readyState === WebSocket.OPEN
        if (open) socket.send(data)
        return open
      },
      closed: closing.promise,
      close: () => socket.close(),
    }),
  )
  return opening.promise
}

/** An error with a code of the system or the HTTP parser means unreachable; any other is a violation of RFC 6455. */
function faultOf(provider: string, cause: NodeJS.ErrnoException): PorteiroError {
  const brokeProtocol = cause.code === undefined || cause.code.startsWith('WS_ERR_')
  return fail(
    brokeProtocol ? 'SPEECH_INVALID' : 'SPEECH_UNREACHABLE',
    { provider, reason: reasonOf(cause) },
    cause,
  )
}
