import { createConnection } from 'node:net'
import { audioFrame, createReader, dtmfMessage, KIND, SILENCE, uuidMessage } from '../../audiosocket/index.ts'
import { FRAME_BYTES, FRAME_MS } from '../../platform/audio.ts'
import { reasonOf } from '../../platform/errors.ts'

/** Maximum number of waiting frames, 200 ms; beyond it the oldest is dropped, so that no delay builds up. */
const QUEUE_FRAMES = 10
/** After a longer stall in ms the line does not catch up: a telephone that slept has lost that time. */
const STALL_MS = 200
/** ms after its FIN until a socket whose peer does not read is destroyed. */
const FLUSH_MS = 1000

/** How the line ended: the service hung up with 0x00, closed without, never answered, or we left. */
export type LineEnd = 'server-hangup' | 'server-close' | 'refused' | 'us'

interface PhoneLineOptions {
  host: string
  port: number
  callId: string
}

interface PhoneLineEvents {
  /** It is connected, from this port. */
  open(port: number): void
  /** Received sound: 8 kHz s16le, unchanged; the bytes are never reused. */
  audio(pcm: Buffer): void
  ended(by: LineEnd, reason: string | undefined): void
}

/** One AudioSocket connection to a port of ours, as an Asterisk would make it. The opener closes it. */
interface PhoneLine {
  /** 20 ms of 8 kHz s16le, exactly 320 bytes. */
  speak(frame: Buffer): void
  /** One of 0-9, A-D, * and #; FRAME_MALFORMED for anything else. */
  press(key: string): void
  /** Sends FIN after pending data. */
  hangUp(): void
}

/**
 * Sends the UUID first, then one frame every 20 ms by absolute deadline: speech, or silence. `src/simulator/phone.ts`
 * is the strict one of the two; this one is for people.
 */
export function openPhoneLine({ host, port, callId }: PhoneLineOptions, on: PhoneLineEvents): PhoneLine {
  const waiting: Buffer[] = []
  let by: LineEnd | undefined
  let reason: string | undefined
  let connected = false
  let due = 0
  let ticking: NodeJS.Timeout | undefined
  let flushing: NodeJS.Timeout | undefined

  const tick = () => {
    const now = performance.now()
    if (now - due > STALL_MS) due = now
    for (; due <= now; due += FRAME_MS) socket.write(waiting.shift() ?? SILENCE)
    ticking = setTimeout(tick, due - now)
  }

  const end = (how: LineEnd) => {
    if (by !== undefined) return
    by = how
    clearTimeout(ticking)
    if (!connected) return void socket.destroy()
    socket.destroySoon()
    flushing = setTimeout(() => socket.destroy(), FLUSH_MS)
  }

  const reader = createReader((kind, bytes, start, stop) => {
    if (by !== undefined) return
    if (kind === KIND.hangup) end('server-hangup')
    else if (kind === KIND.slin8) on.audio(bytes.subarray(start, stop))
  })

  const socket = createConnection({ host, port, noDelay: true })
  socket.write(uuidMessage(callId))
  socket.on('connect', () => {
    connected = true
    // the user may have left before the connection was open
    if (by !== undefined) return
    due = performance.now()
    tick()
    on.open(socket.localPort!)
  })
  socket.on('data', (chunk) => {
    try {
      reader.push(chunk)
    } catch (error) {
      reason = reasonOf(error)
      end('server-close')
    }
  })
  socket.on('end', () => end('server-close'))
  socket.on('error', (error) => {
    reason = reasonOf(error)
  })
  socket.on('close', () => {
    clearTimeout(ticking)
    clearTimeout(flushing)
    by ??= connected ? 'server-close' : 'refused'
    on.ended(by, reason)
  })

  return {
    speak(frame) {
      if (by !== undefined || frame.length !== FRAME_BYTES) return
      if (waiting.push(audioFrame(frame)) > QUEUE_FRAMES) waiting.shift()
    },
    press(key) {
      const message = dtmfMessage(key)
      if (by === undefined) socket.write(message)
    },
    hangUp: () => end('us'),
  }
}
