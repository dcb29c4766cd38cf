import { type ConnectionListener, type Gone, rateOf } from '../audiosocket/index.ts'
import type { BridgeLine, Ear } from '../media/index.ts'

/** ms without audio after which our own clock moves the stream's: a phone may send nothing during silence. */
const STILL_MS = 300

/** Takes a leg's incoming sound to its ear and to the other leg. */
export interface Incoming extends ConnectionListener {
  /** The other leg's bridge line; null outside a bridge. */
  line: BridgeLine | null
  /** The line that is muted while a key's tones come in; null where that is not wanted. */
  muted: BridgeLine | null
  /** Stops the ear's clock. */
  close(): void
}

export function createIncoming(ear: Ear, gone: (how: Gone) => void): Incoming {
  return new LegIncoming(ear, gone)
}

/** A class, because V8 would allocate a closure's time variable anew for each frame (ADR 27). */
class LegIncoming implements Incoming {
  readonly ear: Ear
  line: BridgeLine | null = null
  muted: BridgeLine | null = null
  lastAt = performance.now()
  readonly gone: (how: Gone) => void
  readonly stillness = setInterval(() => this.passTime(), STILL_MS)

  constructor(ear: Ear, gone: (how: Gone) => void) {
    this.ear = ear
    this.gone = gone
  }

  audio(bytes: Buffer, start: number, end: number, kind: number): void {
    this.lastAt = performance.now()
    const rate = rateOf(kind)!
    this.ear.audio(bytes, start, end, rate)
    const { ear, line } = this
    if (line === null) return
    if (this.muted !== null) this.muted.mute(ear.pressing())
    if (line.filters ? ear.holding() : ear.sounding()) line.hush(start, end, rate)
    else line.audio(bytes, start, end, rate)
  }

  key(key: string): void {
    this.ear.key(key)
  }

  close(): void {
    clearInterval(this.stillness)
  }

  passTime(): void {
    const still = performance.now() - this.lastAt
    if (still < STILL_MS) return
    this.lastAt += still
    this.ear.idle(still)
  }
}
