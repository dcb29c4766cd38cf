import { type ClientOptions, WebSocket } from 'ws'
import { fail, type PorteiroError, reasonOf } from '../platform/errors.ts'
import { endingOf } from './deadline.ts'

/** A connection to a WebSocket server, with the errors of speech. */
export interface WebSocketClient {
  /** A string goes as text, bytes as binary. False, and nothing goes, once either side has said goodbye. */
  send(data: string | Uint8Array): boolean
  /** Resolves when the server has closed in good order; rejects with SPEECH_UNREACHABLE, SPEECH_INVALID or the signal's reason. */
  readonly closed: Promise<void>
  /** Says goodbye; the socket is gone a second later at most, whatever the server does. */
  close(): void
}

interface WebSocketOptions {
  /** Stands in errors. */
  provider: string
  /** ws:// or wss:// */
  url: string
  /** Ends it at once, in every state. */
  signal: AbortSignal
  onText: (text: string) => void
}

const SETTINGS: ClientOptions & { closeTimeout: number } = {
  // a transcript of 10 kB with a line a word has 100 kB
  maxPayload: 1024 * 1024,
  // sound does not shrink by it, and it would cost processor time a piece
  perMessageDeflate: false,
  // ms from one side's goodbye to the end of the socket: one round trip, generously; the library's own are 30 s
  closeTimeout: 1000,
}

/** The close code that stands for a connection which ended without a goodbye (RFC 6455, 7.1.5). */
const ABNORMAL = 1006

/**
 * Connects. Rejects with SPEECH_UNREACHABLE, SPEECH_REFUSED (any status but 101), SPEECH_INVALID or the signal's reason.
 * Node's own WebSocket tells none of these apart and cannot let go of a server that never closes its side.
 */
export function openWebSocket({ provider, url, signal, onText }: WebSocketOptions): Promise<WebSocketClient> {
  if (signal.aborted) return Promise.reject(endingOf(signal))
  const opening = Promise.withResolvers<WebSocketClient>()
  const closing = Promise.withResolvers<void>()
  // whoever needs to know awaits it later
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
  // more than one may come: to terminate a connection that is not open yet is an error too
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

/** What the system or the HTTP parser reports has a code of theirs: nobody could be talked to. The rest broke RFC 6455. */
function faultOf(provider: string, cause: NodeJS.ErrnoException): PorteiroError {
  const brokeProtocol = cause.code === undefined || cause.code.startsWith('WS_ERR_')
  return fail(
    brokeProtocol ? 'SPEECH_INVALID' : 'SPEECH_UNREACHABLE',
    { provider, reason: reasonOf(cause) },
    cause,
  )
}
