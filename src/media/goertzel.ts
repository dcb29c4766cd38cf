import { SAMPLE_RATE } from '../platform/audio.ts'

/** The tones of keys, rows first (ITU-T Q.23). */
export const HZ = [697, 770, 852, 941, 1209, 1336, 1477, 1633]
/** Goertzel's coefficients. */
export const TUNING = Float64Array.from(HZ, (hz) => 2 * Math.cos((2 * Math.PI * hz) / SAMPLE_RATE))
/** Of each tone, the filter's last two values; shared by all detectors to stay in the processor's cache. Valid until the next call. */
export const last = new Float64Array(HZ.length)
export const before = new Float64Array(HZ.length)

/**
 * Runs the filters of the four tones that begin at `first`. Computing them side by side takes a third of the time: each step
 * of a single tone waits for the result of the step before.
 */
export function goertzel(samples: Int16Array, from: number, to: number, first: number): void {
  const [a, b, c, d] = [TUNING[first]!, TUNING[first + 1]!, TUNING[first + 2]!, TUNING[first + 3]!]
  let [a1, b1, c1, d1] = [0, 0, 0, 0]
  let [a2, b2, c2, d2] = [0, 0, 0, 0]
  for (let i = from; i < to; i++) {
    const sample = samples[i]!
    // in this order only a product and a sum wait for the step before
    const a0 = a * a1 + (sample - a2)
    const b0 = b * b1 + (sample - b2)
    const c0 = c * c1 + (sample - c2)
    const d0 = d * d1 + (sample - d2)
    a2 = a1
    b2 = b1
    c2 = c1
    d2 = d1
    a1 = a0
    b1 = b0
    c1 = c0
    d1 = d0
  }
  last[first] = a1
  last[first + 1] = b1
  last[first + 2] = c1
  last[first + 3] = d1
  before[first] = a2
  before[first + 1] = b2
  before[first + 2] = c2
  before[first + 3] = d2
}
