import { FRAME_MS } from '../platform/audio.ts'

/** Frames of one block of the floor's memory, and how many blocks there are: 3 s, in which everybody pauses. */
const BLOCK_FRAMES = 25
const BLOCKS = 6
/** dB above the floor below which a frame is the noise of the line: frames of white noise are within 3 dB of its least. */
const ABOVE_FLOOR = ratioOf(4.5)
/** dB below the loudest of late at which somebody else speaks, further away: the weak ends of words are within 15. */
const BELOW_PEAK = ratioOf(-18)
/** A frame: 0.4 dB a second while somebody speaks, for they turn their head. */
const DECAY = 0.998
/** A frame, once nobody has spoken for so long: 4 dB a second, so that a horn does not deafen for long. */
const FORGETTING = 0.98
const HOLD_FRAMES = 3000 / FRAME_MS
/** The weak end of a word is lost in the noise, but it was there. */
const TRAIL_FRAMES = 120 / FRAME_MS

/** Tells the one who speaks into the telephone from the noise of the line and from voices behind them, by loudness alone. */
interface Foreground {
  /** One frame's mean square, and whether it is voiced: whether it is loud enough to be theirs. */
  push(power: number, voiced: boolean): boolean
}

export function createForeground(): Foreground {
  return new Loudness()
}

class Loudness implements Foreground {
  /** The least of each block that is over. */
  readonly blocks = new Float64Array(BLOCKS).fill(Number.POSITIVE_INFINITY)
  block = 0
  filled = 0
  /** The least of the block under way. */
  least = Number.POSITIVE_INFINITY
  floor = Number.POSITIVE_INFINITY
  peak = 0
  before = 0
  /** Frames since they spoke: so many that it is forgotten. */
  still = HOLD_FRAMES

  push(power: number, voiced: boolean): boolean {
    this.learn(power)
    this.still++
    this.peak *= this.still > HOLD_FRAMES ? FORGETTING : DECAY
    // two frames in a row: a click is louder than any speech
    const steady = Math.min(power, this.before)
    this.before = power
    if (!voiced) return false
    const clear = power > this.floor * ABOVE_FLOOR
    if (clear && steady > this.peak) this.peak = steady
    if (clear && power > this.peak * BELOW_PEAK) this.still = 0
    return this.still <= TRAIL_FRAMES
  }

  /** The least of the last 3 s: between words there is nothing but the noise. */
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

function ratioOf(decibel: number): number {
  return 10 ** (decibel / 10)
}
