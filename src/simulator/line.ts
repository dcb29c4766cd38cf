import { createConnection } from 'node:net'
import { reasonOf } from '../platform/errors.ts'
import { createDecoder, type FrameForm } from './decoder.ts'
import type { EndedBy } from './transcript.ts'
import type { ViolationCode } from './violation.ts'

interface LineOptions {
  host: string
  port: number
  /** Data of the first write. */
  hello: Buffer
  /** Of the frames that it takes; default: those of 8 kHz. */
  forms?: readonly FrameForm[]
}

interface LineEvents {
  open(): void
  audio(bytes: Buffer, start: number, end: number, kind: number): void
  /** 0x00 arrived; the line closes itself. */
  hangup(): void
  violation(code: ViolationCode, facts: Record<string, unknown>): void
}

export interface LineEnd {
  readonly by: EndedBy
  readonly reason: string | undefined
  /** Duration of the connection in ms; undefined if it was never open. */
  readonly lasted: number | undefined
}

/** One TCP connection to the server. */
export interface Line {
  write(message: Buffer): void
  /** Sends FIN after pending data, or RST. The first reason counts; false if there was one already. */
  end(by: EndedBy, rst?: boolean): boolean
  partialReads(): number
  readonly closed: Promise<LineEnd>
}

/** If a server does not read, the FIN waits behind the audio; ms until the socket is destroyed. */
const FLUSH_MS = 1000

export function createLine({ host, port, hello, forms }: LineOptions, on: LineEvents): Line {
  const { promise: closed, resolve } = Promise.withResolvers<LineEnd>()
  let by: EndedBy | undefined
  let reason: string | undefined
  let openedAt: number | undefined
  let flushing: NodeJS.Timeout | undefined

  const end = (how: EndedBy, rst = false): boolean => {
    if (by !== undefined) return false
    by = how
    // after 0x00 the line still watches for forbidden data
    if (how !== 'server-hangup') decoder.close()
    if (rst) socket.resetAndDestroy()
    else if (openedAt === undefined) socket.destroy()
    else {
      socket.destroySoon()
      flushing = setTimeout(() => socket.destroy(), FLUSH_MS)
    }
    return true
  }

  const events = {
    audio: on.audio,
    hangup() {
      on.hangup()
      end('server-hangup')
    },
    violation: on.violation,
  }
  const decoder = createDecoder(events, forms)

  const socket = createConnection({ host, port, noDelay: true })
  // waits in the socket until it is connected, before anything else
  socket.write(hello)
  socket.on('connect', () => {
    openedAt = performance.now()
    on.open()
  })
  socket.on('data', (chunk) => decoder.push(chunk))
  socket.on('end', () => end('server-close'))
  socket.on('error', (error) => {
    reason = reasonOf(error)
  })
  socket.on('close', () => {
    clearTimeout(flushing)
    decoder.close()
    by ??= openedAt === undefined ? 'refused' : 'server-close'
    resolve({ by, reason, lasted: openedAt === undefined ? undefined : performance.now() - openedAt })
  })

  return {
    write(message) {
      if (by === undefined) socket.write(message)
    },
    end,
    partialReads: decoder.partialReads,
    closed,
  }
}
