import { FRAME_MS } from '../platform/audio.ts'
import { ratioOf } from './level.ts'

/** Frames of a block of the floor's memory, and number of blocks: 3 s, in which everybody pauses. */
const BLOCK_FRAMES = 25
const BLOCKS = 6
/** A frame less than this above the floor is line noise, in dB: frames of white noise are within 3 dB of their minimum. */
const ABOVE_FLOOR = ratioOf(4.5)
/** A frame this far below the recent peak, in dB, is somebody further away, or a television; the weak ends of words are within 15 dB. */
const BELOW_PEAK = ratioOf(-15)
/** Decay of the peak a frame: 0.4 dB a second while somebody speaks, because people turn their heads. */
const DECAY = 0.998
/** Decay a frame after a long silence: 4 dB a second, so that a horn does not deafen for long. */
const FORGETTING = 0.98
const HOLD_FRAMES = 3000 / FRAME_MS
/** The weak end of a word, which is lost in the noise. */
const TRAIL_FRAMES = 120 / FRAME_MS

/** Distinguishes the speaker at the telephone from line noise and from voices in the background, by loudness alone. */
interface Foreground {
  /** Takes a frame's mean square and whether it is voiced; returns whether it is the speaker at the telephone. */
  push(power: number, voiced: boolean): boolean
}

export function createForeground(): Foreground {
  return new Loudness()
}

class Loudness implements Foreground {
  /** Minimum of each completed block. */
  readonly blocks = new Float64Array(BLOCKS).fill(Number.POSITIVE_INFINITY)
  block = 0
  filled = 0
  /** Minimum of the current block. */
  least = Number.POSITIVE_INFINITY
  floor = Number.POSITIVE_INFINITY
  peak = 0
  before = 0
  /** Frames since the last speech; initially long ago. */
  still = HOLD_FRAMES

  push(power: number, voiced: boolean): boolean {
    this.learn(power)
    this.still++
    this.peak *= this.still > HOLD_FRAMES ? FORGETTING : DECAY
    // the quieter of two frames: a click is louder than any speech
    const steady = Math.min(power, this.before)
    this.before = power
    if (!voiced) return false
    const clear = power > this.floor * ABOVE_FLOOR
    if (clear && steady > this.peak) this.peak = steady
    if (clear && power > this.peak * BELOW_PEAK) this.still = 0
    return this.still <= TRAIL_FRAMES
  }

  /** The floor is the minimum of the last 3 s: between words there is only noise. */
  learn(power: number): void {
    if (power < this.least) this.least = power
    if (power < this.floor) this.floor = power
    if (++this.filled < BLOCK_FRAMES) return
    this.blocks[this.block] = this.least
    this.filled = 0
    this.least = Number.POSITIVE_INFINITY
    this.block = (this.block + 1) % BLOCKS
    this.blocks[this.block] = Number.POSITIVE_INFINITY
    this.floor = Math.min(...this.blocks)
  }
}
