import { FRAME_MS, FRAME_SAMPLES } from '../platform/audio.ts'
import { powerAt, ratioOf } from './level.ts'

/** ms within which an echo comes back, with the buffers of both ways. */
const DELAY_MS = 300
const SLOTS = DELAY_MS / FRAME_MS + 1
/** How loud an echo may be beside what is played, dB: a line's worst, -14, and 3 for its uneven frequencies. */
const WORST = ratioOf(-11)
/** What every line may return, however little it did so far, dB. */
const LEAST = ratioOf(-24)
/** How much louder than the loudest echo so far the next one may be, dB: other words have other frequencies. */
const MARGIN = ratioOf(6)
/** Frames under a prompt after which the line is known: 1 s. */
const KNOWN = 1000 / FRAME_MS
/** Softer parts of prompts say nothing of the line. */
const AUDIBLE = powerAt(-35)

/** Knows how loud the echo of our own prompts may be, so that it is not taken for somebody who speaks. */
export interface EchoGuard {
  /** A message of 20 ms of a prompt leaves, with `header` bytes before its s16le. */
  played(message: Uint8Array, header: number): void
  /**
   * Once for each frame that is heard, with its mean square; Infinity where none came. Returns the mean square up to which it may be
   * an echo; 0 where nothing was played.
   */
  next(power: number): number
}

export function createEchoGuard(): EchoGuard {
  return new LoudestPlayed()
}

/** The loudest of what was played lately. Both directions have clocks of their own, so slots are those of what is heard. */
class LoudestPlayed implements EchoGuard {
  readonly powers = new Float64Array(SLOTS)
  at = 0
  /** Slots until all are silent again. */
  left = 0
  /** The loudest echo so far beside what was played. Who speaks is louder, and is not counted. */
  echo = 0
  frames = 0

  played(message: Uint8Array, header: number): void {
    let sum = 0
    for (let at = header; at < message.length; at += 2) {
      const sample = ((message[at]! | (message[at + 1]! << 8)) << 16) >> 16
      sum += sample * sample
    }
    if (sum === 0) return
    // a late heard frame has several played ones
    this.powers[this.at] = Math.max(this.powers[this.at]!, sum / FRAME_SAMPLES)
    this.left = SLOTS
  }

  next(power: number): number {
    if (this.left === 0) return 0
    const { powers } = this
    let loudest = 0
    for (let slot = 0; slot < SLOTS; slot++) if (powers[slot]! > loudest) loudest = powers[slot]!
    this.left--
    this.at = this.at + 1 === SLOTS ? 0 : this.at + 1
    powers[this.at] = 0
    const share = this.frames < KNOWN ? WORST : Math.min(WORST, Math.max(LEAST, this.echo * MARGIN))
    if (loudest > AUDIBLE && power <= loudest * share) {
      this.frames++
      if (power > loudest * this.echo) this.echo = power / loudest
    }
    return loudest * share
  }
}
