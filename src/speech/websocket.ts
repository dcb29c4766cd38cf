import { createHash, randomBytes } from 'node:crypto'
import { type ClientRequest, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Socket } from 'node:net'
import { fail, type PorteiroError, reasonOf } from '../errors.ts'
import { endingOf } from './deadline.ts'
import { createMessages, frameOf, OPCODE } from './websocket-frame.ts'

/** The client half of a WebSocket (RFC 6455), no extensions. */
export interface WebSocketClient {
  /** A string goes as text, bytes as binary. Does nothing once it is closed. */
  send(data: string | Uint8Array): void
  /** Resolves when the server has closed in good order; rejects with SPEECH_UNREACHABLE, SPEECH_INVALID or the signal's reason. */
  readonly closed: Promise<void>
  /** Says goodbye and lets go of the socket without waiting for an answer. */
  close(): void
}

export interface WebSocketOptions {
  /** Stands in errors. */
  provider: string
  /** ws:// or wss:// */
  url: string
  /** Ends it at once, in every state. */
  signal: AbortSignal
  onText: (text: string) => void
}

/** Appended to the key, its SHA-1 is the proof that a WebSocket server answered (RFC 6455, 1.3). */
const PROOF = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/**
 * Connects. Rejects with SPEECH_UNREACHABLE, SPEECH_REFUSED (any status but 101), SPEECH_INVALID or the signal's reason.
 * Node's own WebSocket tells none of these apart and cannot let go of a server that never closes its side.
 */
export function openWebSocket({ provider, url, signal, onText }: WebSocketOptions): Promise<WebSocketClient> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(endingOf(signal))
    const key = randomBytes(16).toString('base64')
    const request = upgradeRequest(url, key)
    const abort = () => request.destroy(endingOf(signal))
    signal.addEventListener('abort', abort, { once: true })
    const refuse = (error: PorteiroError) => {
      signal.removeEventListener('abort', abort)
      reject(error)
      request.destroy()
    }
    request.on('error', (cause) => {
      const unreachable = () => fail('SPEECH_UNREACHABLE', { provider, reason: reasonOf(cause) }, cause)
      refuse(signal.aborted ? endingOf(signal) : unreachable())
    })
    request.once('response', ({ statusCode }) =>
      refuse(fail('SPEECH_REFUSED', { provider, status: statusCode })),
    )
    request.once('upgrade', (response, socket, head) => {
      const proof = createHash('sha1')
        .update(key + PROOF)
        .digest('base64')
      if (response.headers['sec-websocket-accept'] !== proof) {
        socket.destroy()
        return refuse(fail('SPEECH_INVALID', { provider, reason: 'no WebSocket server answered' }))
      }
      signal.removeEventListener('abort', abort)
      resolve(createClient({ provider, signal, onText }, socket as Socket, head))
    })
    request.end()
  })
}

function upgradeRequest(url: string, key: string): ClientRequest {
  const address = new URL(url)
  const secure = address.protocol === 'wss:'
  address.protocol = secure ? 'https:' : 'http:'
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
  }
  return (secure ? requestHttps : requestHttp)(address, { headers, agent: false })
}

function createClient(
  { provider, signal, onText }: Omit<WebSocketOptions, 'url'>,
  socket: Socket,
  head: Buffer,
): WebSocketClient {
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  // whoever needs to know awaits it later
  closed.catch(() => {})
  const lost = (reason: string, cause?: unknown) => fail('SPEECH_UNREACHABLE', { provider, reason }, cause)
  const abort = () => end(endingOf(signal))
  const messages = createMessages({
    text: onText,
    ping: (payload) => socket.write(frameOf(OPCODE.pong, payload)),
    close: () => end(),
    malformed: (reason) => end(fail('SPEECH_INVALID', { provider, reason })),
  })
  let over = false

  function end(error?: PorteiroError): void {
    if (over) return
    over = true
    signal.removeEventListener('abort', abort)
    if (error) {
      socket.destroy()
      reject(error)
    } else {
      socket.end(frameOf(OPCODE.close, Buffer.alloc(0)))
      socket.destroySoon()
      resolve()
    }
  }

  socket.setNoDelay(true)
  socket.on('data', (bytes) => {
    if (!over) messages.push(bytes)
  })
  socket.on('error', (cause) => end(lost(reasonOf(cause), cause)))
  socket.once('close', () => end(lost('the connection broke')))
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  else if (head.length > 0) messages.push(head)

  return {
    send(data) {
      if (over) return
      const text = typeof data === 'string'
      socket.write(frameOf(text ? OPCODE.text : OPCODE.binary, text ? Buffer.from(data) : data))
    },
    closed,
    close: () => end(),
  }
}
