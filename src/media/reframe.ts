import { FRAME_BYTES, FRAME_SAMPLES, SAMPLE_RATE } from '../platform/audio.ts'
import { powerOf } from './level.ts'

/** Whole frames pass through this one: shared by all, it stays in the processor's cache. */
const shared = createFrame()

export interface FrameTaker {
  /** Gets each frame, and its mean square. */
  take(samples: Int16Array, power: number): void
}

export interface Reframer {
  /** s16le sound of 8 kHz or more, any even number of bytes. */
  push(bytes: Uint8Array, start: number, end: number, rate: number): void
  /** G.711 at 8 kHz, a byte a sample; `law` has the linear values of the 256 codes. */
  pushCodes(bytes: Uint8Array, start: number, end: number, law: Int16Array): void
  /** Completes a partial frame with silence. */
  flush(): void
  /** True while a frame is incomplete. */
  readonly partial: boolean
}

/**
 * Cuts sound of any size and rate into frames of 160 samples at 8 kHz. `taker` gets the same Int16Array each time: it must
 * not use it after it returns.
 *
 * Higher rates come down by averaging over the length of one new sample, which for whole ratios is plain decimation by
 * averaging and for 12 and 44.1 kHz weighs the samples at both ends. Good enough for detectors and an intercom's ear.
 */
export function createReframer(taker: FrameTaker): Reframer {
  return new Cutter(taker)
}

class Cutter implements Reframer {
  readonly taker: FrameTaker
  filled = 0
  readonly frame = createFrame()
  lastRate = SAMPLE_RATE
  sum = 0
  missing = 1

  constructor(taker: FrameTaker) {
    this.taker = taker
  }

  get partial(): boolean {
    return this.filled > 0
  }

  push(bytes: Uint8Array, start: number, end: number, rate: number): void {
    if (rate === SAMPLE_RATE) {
      this.lastRate = rate
      this.copy(bytes, start, end - ((end - start) % 2))
    } else this.average(bytes, start, end, rate)
  }

  pushCodes(bytes: Uint8Array, start: number, end: number, law: Int16Array): void {
    for (let at = start; at < end; at++) this.put(law[bytes[at]!]!)
  }

  flush(): void {
    if (this.filled === 0) return
    this.frame.samples.fill(0, this.filled)
    this.emit()
  }

  copy(bytes: Uint8Array, start: number, end: number): void {
    let at = start
    for (; this.filled === 0 && end - at >= FRAME_BYTES; at += FRAME_BYTES) {
      this.taker.take(shared.samples, decode(bytes, at))
    }
    while (at < end) {
      const length = Math.min(end - at, FRAME_BYTES - this.filled * 2)
      this.frame.bytes.set(bytes.subarray(at, at + length), this.filled * 2)
      at += length
      this.filled += length >> 1
      if (this.filled === FRAME_SAMPLES) this.emit()
    }
  }

  average(bytes: Uint8Array, start: number, end: number, rate: number): void {
    const span = rate / SAMPLE_RATE
    if (rate !== this.lastRate) {
      this.lastRate = rate
      this.sum = 0
      this.missing = span
    }
    for (let at = start; at + 1 < end; at += 2) {
      const sample = sampleAt(bytes, at)
      let left = 1
      while (this.missing <= left) {
        this.put(Math.round((this.sum + sample * this.missing) / span))
        left -= this.missing
        this.sum = 0
        this.missing = span
      }
      this.sum += sample * left
      this.missing -= left
    }
  }

  put(sample: number): void {
    this.frame.samples[this.filled++] = sample
    if (this.filled === FRAME_SAMPLES) this.emit()
  }

  emit(): void {
    this.filled = 0
    this.taker.take(this.frame.samples, powerOf(this.frame.samples))
  }
}

/** Copies 160 samples into the shared frame; returns their mean square. Sums of their own are added side by side. */
function decode(bytes: Uint8Array, start: number): number {
  const { samples } = shared
  shared.bytes.set(bytes.subarray(start, start + FRAME_BYTES))
  let [even, odd] = [0, 0]
  for (let i = 0; i < FRAME_SAMPLES; i += 2) {
    const [one, two] = [samples[i]!, samples[i + 1]!]
    even += one * one
    odd += two * two
  }
  return (even + odd) / FRAME_SAMPLES
}

function sampleAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16
}

function createFrame() {
  const samples = new Int16Array(FRAME_SAMPLES)
  // Node runs on little-endian machines only, so the bytes of s16le are the array's own
  return { samples, bytes: new Uint8Array(samples.buffer) }
}
