import { FRAME_SAMPLES, SAMPLE_RATE } from '../platform/audio.ts'
import { emptyMessage, HEADER_BYTES, kindOf } from './frame.ts'

/** Samples at 8 kHz that make one new sample: a telephone's band passes whole, its images are 40 dB down from 4.6 kHz on. */
const TAPS = 16
/** Samples of the frame before that a frame needs. */
const TAIL = TAPS - 1
/** A frame and the tail before it; shared, because a frame is made in one turn. */
const samples = new Int16Array(TAIL + FRAME_SAMPLES)

/** Brings whole messages of 20 ms from 8 kHz to a higher rate, half the taps (1 ms) later. */
export interface Upsampler {
  readonly rate: number
  /** The message at the rate; each is the continuation of the one before. */
  of(frame: Buffer): Buffer
}

interface Made {
  /** What was played before. */
  readonly tail: Int16Array
  readonly frame: Buffer
}

/**
 * Messages by those of 8 kHz that they were made of. Prompts and tones are shared by all legs, and so is what is made of them: only
 * the sound of a talk is made anew.
 */
const madeAt = new Map<number, WeakMap<Buffer, Made>>()

/** For a rate that is no multiple of 8 kHz the frames stay as they are. */
export function createUpsampler(rate: number): Upsampler {
  const times = rate / SAMPLE_RATE
  if (!Number.isInteger(times)) return { rate, of: (frame) => frame }
  const known = madeAt.get(rate) ?? new WeakMap<Buffer, Made>()
  madeAt.set(rate, known)
  const kind = kindOf(rate)
  const kernels = kernelsOf(times)
  const tail = new Int16Array(TAIL)

  const make = (frame: Buffer): Buffer => {
    samples.set(tail)
    for (let i = 0; i < FRAME_SAMPLES; i++) samples[TAIL + i] = sampleAt(frame, i)
    const made = emptyMessage(kind, FRAME_SAMPLES * times * 2)
    let at = HEADER_BYTES
    for (let i = 0; i < FRAME_SAMPLES; i++) {
      for (const kernel of kernels) {
        let sum = 0
        for (let tap = 0; tap < TAPS; tap++) sum += kernel[tap]! * samples[i + tap]!
        at = made.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(sum))), at)
      }
    }
    return made
  }

  return {
    rate,
    of(frame) {
      let made = known.get(frame)
      if (made === undefined || !isSame(made.tail, tail)) {
        made = { tail: tail.slice(), frame: make(frame) }
        known.set(frame, made)
      }
      for (let i = 0; i < TAIL; i++) tail[i] = sampleAt(frame, FRAME_SAMPLES - TAIL + i)
      return made.frame
    },
  }
}

/** One for each new sample between two old ones: a sinc under a window of squared cosine, with a gain of 1. */
function kernelsOf(times: number): Float64Array[] {
  return Array.from({ length: times }, (_, phase) => {
    const kernel = Float64Array.from({ length: TAPS }, (_, tap) => {
      const distance = TAPS / 2 - 1 + phase / times - tap
      const window = Math.cos((Math.PI * distance) / TAPS) ** 2
      return distance === 0 ? 1 : (window * Math.sin(Math.PI * distance)) / (Math.PI * distance)
    })
    const sum = kernel.reduce((total, one) => total + one, 0)
    return kernel.map((one) => one / sum)
  })
}

function isSame(one: Int16Array, other: Int16Array): boolean {
  for (let i = 0; i < TAIL; i++) if (one[i] !== other[i]) return false
  return true
}

function sampleAt(frame: Buffer, index: number): number {
  return frame.readInt16LE(HEADER_BYTES + index * 2)
}
