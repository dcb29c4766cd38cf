import type { WebSocket } from 'ws'
import { fail, type PorteiroError } from '../../platform/errors.ts'

/** Messages are collected for this many ms: one frame and one write for many. */
const BATCH_MS = 50
/** Maximum number of messages in a batch. */
const BATCH_MESSAGES = 200
/** Maximum number of unsent bytes in the socket before messages wait. */
const UNSENT_BYTES = 1024 * 1024
/** Maximum number of waiting messages; beyond it the viewer is disconnected. */
const WAITING_MESSAGES = 5000
const WAITING_CHARACTERS = 8 * 1024 * 1024
/** Interval of pings in ms; a viewer that did not answer the last one is gone. */
const PING_MS = 30_000
/** Limit in ms for the closing handshake with a viewer that does not read. */
const CLOSE_MS = 1000

interface ViewerOptions {
  socket: WebSocket
  /** Whether a frame is a list of messages, or a single message. */
  batched: boolean
  /** Called when the viewer was disconnected: VIEWER_SLOW. */
  onCut: (error: PorteiroError) => void
}

interface Viewer {
  /** Takes one message as JSON. Never waits and never throws: a slow viewer is disconnected. */
  tell(json: string): void
  /** Closes with a WebSocket code of 4000 and the number of the HTTP status, and the error's own code as the reason. */
  close(error: PorteiroError): void
}

/** The writing half of one viewer: a bounded queue in front of its socket. It ends with the socket. */
export function createViewer({ socket, batched, onCut }: ViewerOptions): Viewer {
  let waiting: string[] = []
  let characters = 0
  let timer: NodeJS.Timeout | undefined
  let alive = true
  let over = false

  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (over || waiting.length === 0) return
    if (socket.bufferedAmount > UNSENT_BYTES) return schedule()
    const messages = waiting
    waiting = []
    characters = 0
    if (batched) socket.send(`[${messages.join(',')}]`)
    else for (const message of messages) socket.send(message)
  }

  const schedule = () => {
    timer ??= setTimeout(flush, BATCH_MS)
  }

  const close = (error: PorteiroError) => {
    if (over) return
    over = true
    waiting = []
    socket.close(4000 + error.status, error.code)
    terminating = setTimeout(() => socket.terminate(), CLOSE_MS)
  }

  let terminating: NodeJS.Timeout | undefined
  const pinging = setInterval(() => {
    if (!alive) return socket.terminate()
    alive = false
    socket.ping()
  }, PING_MS)
  socket.on('pong', () => {
    alive = true
  })
  socket.once('close', () => {
    over = true
    waiting = []
    clearTimeout(timer)
    clearTimeout(terminating)
    clearInterval(pinging)
  })

  return {
    tell(json) {
      if (over) return
      waiting.push(json)
      characters += json.length
      if (waiting.length > WAITING_MESSAGES || characters > WAITING_CHARACTERS) {
        const error = fail('VIEWER_SLOW', { waiting: waiting.length })
        close(error)
        onCut(error)
      } else if (waiting.length >= BATCH_MESSAGES && socket.bufferedAmount <= UNSENT_BYTES) flush()
      else schedule()
    },
    close,
  }
}
