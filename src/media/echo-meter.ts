import { FRAME_MS, FRAME_SAMPLES } from '../platform/audio.ts'
import { powerAt, powerOf } from './level.ts'

/** Frames that are measured together: 3 s. */
const WINDOW = 3000 / FRAME_MS
/** Delays at which an echo is looked for, in frames: up to half a second. */
const DELAYS = 500 / FRAME_MS + 1
/** Powers are compared as means of three frames, because the frames of both directions begin at different moments. */
const SPAN = 3
/** Frames of a window in which something audible must be played. */
const ACTIVE = WINDOW / 3
const AUDIBLE = powerAt(-45)
/** Least correlation of the two loudnesses: an echo in moderate noise has 0.95, somebody who speaks at the same time 0.5. */
const CORRELATED = 0.85

/** Measures how much of the sound that is played to a leg comes back from it, by loudness alone. */
interface EchoMeter {
  /** A message of 20 ms that is played, with `header` bytes before its s16le. */
  played(message: Uint8Array, header: number): void
  /** The leg's next frame. */
  heard(samples: Int16Array): void
}

/** `onLevel`: dB of the echo beside the sound, after each 3 s in which enough was played; -Infinity: there was no echo. */
export function createEchoMeter(onLevel: (level: number) => void): EchoMeter {
  return new LoudnessMeter(onLevel)
}

class LoudnessMeter implements EchoMeter {
  readonly onLevel: (level: number) => void
  /** Power played since the last heard frame, and the last powers of both directions. */
  readonly now = new Float64Array(1)
  readonly lastPlayed = new Float64Array(SPAN)
  readonly lastHeard = new Float64Array(SPAN)
  /** Mean power played, by frame, for all delays. */
  readonly ring = new Float64Array(DELAYS)
  frames = 0
  active = 0
  /** Of the current window: sums of what was heard and its square; and by delay those of what was played and the product. */
  readonly sums = new Float64Array(2)
  readonly playedSums = new Float64Array(DELAYS)
  readonly playedSquares = new Float64Array(DELAYS)
  readonly products = new Float64Array(DELAYS)

  constructor(onLevel: (level: number) => void) {
    this.onLevel = onLevel
  }

  played(message: Uint8Array, header: number): void {
    let sum = 0
    for (let at = header; at < message.length; at += 2) {
      const sample = ((message[at]! | (message[at + 1]! << 8)) << 16) >> 16
      sum += sample * sample
    }
    this.now[0] = sum / FRAME_SAMPLES
  }

  heard(samples: Int16Array): void {
    const { now, ring, sums, playedSums, playedSquares, products } = this
    const slot = this.frames % SPAN
    this.lastPlayed[slot] = now[0]!
    this.lastHeard[slot] = powerOf(samples)
    if (now[0]! > AUDIBLE) this.active++
    now[0] = 0
    ring[this.frames % DELAYS] = mean(this.lastPlayed)
    const power = mean(this.lastHeard)
    sums[0]! += power
    sums[1]! += power * power
    for (
      let delay = 0, at = this.frames % DELAYS;
      delay < DELAYS;
      delay++, at = at === 0 ? DELAYS - 1 : at - 1
    ) {
      const before = ring[at]!
      playedSums[delay]! += before
      playedSquares[delay]! += before * before
      products[delay]! += before * power
    }
    if (++this.frames % WINDOW === 0) this.weigh()
  }

  /** Reports the echo of the window and begins the next one. */
  weigh(): void {
    const { sums, playedSums, playedSquares, products, active } = this
    const heardVariance = sums[1]! - sums[0]! ** 2 / WINDOW
    let gain = 0
    let best = CORRELATED
    for (let delay = 0; delay < DELAYS; delay++) {
      const variance = playedSquares[delay]! - playedSums[delay]! ** 2 / WINDOW
      const covariance = products[delay]! - (playedSums[delay]! * sums[0]!) / WINDOW
      const correlation = covariance / Math.sqrt(variance * heardVariance)
      if (!(correlation > best)) continue
      best = correlation
      gain = covariance / variance
    }
    for (const totals of [sums, playedSums, playedSquares, products]) totals.fill(0)
    this.active = 0
    if (active >= ACTIVE) this.onLevel(10 * Math.log10(gain))
  }
}

function mean(powers: Float64Array): number {
  let sum = 0
  for (let i = 0; i < SPAN; i++) sum += powers[i]!
  return sum / SPAN
}
