import { type ConnectionListener, type Gone, rateOf } from '../audiosocket/index.ts'
import type { BridgeLine, Ear } from '../media/index.ts'

/** ms without audio after which the stream's clock goes on by our own: a phone may send nothing while nobody speaks. */
const STILL_MS = 300

/** What comes in on a leg, on its way to the leg's ear and to the other leg. */
export interface Incoming extends ConnectionListener {
  /** Where the sound goes beside the ear; null: nowhere. */
  line: BridgeLine | null
  /** The ear's clock stands still from now on. */
  close(): void
}

export function createIncoming(ear: Ear, gone: (how: Gone) => void): Incoming {
  return new LegIncoming(ear, gone)
}

/** An object with the one time that is written for each frame: a variable's would be allocated each time (ADR 27). */
class LegIncoming implements Incoming {
  readonly ear: Ear
  line: BridgeLine | null = null
  heardAt = performance.now()
  readonly gone: (how: Gone) => void
  readonly stillness = setInterval(() => this.passTime(), STILL_MS)

  constructor(ear: Ear, gone: (how: Gone) => void) {
    this.ear = ear
    this.gone = gone
  }

  audio(bytes: Buffer, start: number, end: number, kind: number): void {
    this.heardAt = performance.now()
    const rate = rateOf(kind)!
    this.ear.audio(bytes, start, end, rate)
    if (this.line === null) return
    if (this.ear.sounding()) this.line.hush(start, end, rate)
    else this.line.audio(bytes, start, end, rate)
  }

  key(key: string): void {
    this.ear.key(key)
  }

  close(): void {
    clearInterval(this.stillness)
  }

  passTime(): void {
    const still = performance.now() - this.heardAt
    if (still < STILL_MS) return
    this.heardAt += still
    this.ear.idle(still)
  }
}
