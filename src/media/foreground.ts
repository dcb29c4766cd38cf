import { FRAME_MS } from '../audio.ts'

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
export interface Foreground {
  /** One frame's mean square, and whether it is voiced: whether it is loud enough to be theirs. */
  push(power: number, voiced: boolean): boolean
}

export function createForeground(): Foreground {
  const blocks = new Float64Array(BLOCKS).fill(Number.POSITIVE_INFINITY)
  let block = 0
  let filled = 0
  let floor = Number.POSITIVE_INFINITY
  let peak = 0
  let before = 0
  let still = Number.POSITIVE_INFINITY

  /** The least of the last 3 s: between words there is nothing but the noise. */
  function learn(power: number): void {
    if (power < blocks[block]!) blocks[block] = power
    if (power < floor) floor = power
    if (++filled < BLOCK_FRAMES) return
    filled = 0
    block = (block + 1) % BLOCKS
    blocks[block] = Number.POSITIVE_INFINITY
    floor = Math.min(...blocks)
  }

  return {
    push(power, voiced) {
      learn(power)
      still++
      peak *= still > HOLD_FRAMES ? FORGETTING : DECAY
      // two frames in a row: a click is louder than any speech
      const steady = Math.min(power, before)
      before = power
      if (!voiced) return false
      const clear = power > floor * ABOVE_FLOOR
      if (clear && steady > peak) peak = steady
      if (clear && power > peak * BELOW_PEAK) still = 0
      return still <= TRAIL_FRAMES
    },
  }
}

function ratioOf(decibel: number): number {
  return 10 ** (decibel / 10)
}
