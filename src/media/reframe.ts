import { FRAME_BYTES, FRAME_SAMPLES, SAMPLE_RATE } from '../audio.ts'
import { ULAW } from './ulaw.ts'

/** Frames that lie whole in what is pushed pass through this one: shared by all, it stays in the processor's cache. */
const shared = createFrame()

export interface Reframer {
  /** s16le sound of 8 kHz or more, any even number of bytes. */
  push(bytes: Uint8Array, start: number, end: number, rate: number): void
  /** Raw µ-law at 8 kHz: a byte a sample. */
  pushUlaw(bytes: Uint8Array, start: number, end: number): void
  /** Completes a frame that was begun with silence. */
  flush(): void
  /** True when a frame was begun. */
  readonly partial: boolean
}

/**
 * Cuts sound of any size and rate into frames of 160 samples at 8 kHz. `onFrame` gets the same Int16Array each time: it
 * must be done with it when it returns.
 *
 * Higher rates come down by averaging over the length of one new sample, which for whole ratios is plain decimation by
 * averaging and for 12 and 44.1 kHz weighs the samples at both ends. Good enough for detectors and an intercom's ear.
 */
export function createReframer(onFrame: (samples: Int16Array) => void): Reframer {
  const frame = createFrame()
  let filled = 0
  let lastRate = SAMPLE_RATE
  let sum = 0
  let missing = 1

  function put(sample: number): void {
    frame.samples[filled++] = sample
    if (filled === FRAME_SAMPLES) emit()
  }

  function emit(): void {
    filled = 0
    onFrame(frame.samples)
  }

  function copy(bytes: Uint8Array, start: number, end: number): void {
    let at = start
    for (; filled === 0 && end - at >= FRAME_BYTES; at += FRAME_BYTES) {
      shared.bytes.set(bytes.subarray(at, at + FRAME_BYTES))
      onFrame(shared.samples)
    }
    while (at < end) {
      const length = Math.min(end - at, FRAME_BYTES - filled * 2)
      frame.bytes.set(bytes.subarray(at, at + length), filled * 2)
      at += length
      filled += length >> 1
      if (filled === FRAME_SAMPLES) emit()
    }
  }

  function average(bytes: Uint8Array, start: number, end: number, rate: number): void {
    const span = rate / SAMPLE_RATE
    if (rate !== lastRate) {
      lastRate = rate
      sum = 0
      missing = span
    }
    for (let at = start; at + 1 < end; at += 2) {
      const sample = ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16
      let left = 1
      while (missing <= left) {
        put(Math.round((sum + sample * missing) / span))
        left -= missing
        sum = 0
        missing = span
      }
      sum += sample * left
      missing -= left
    }
  }

  return {
    push(bytes, start, end, rate) {
      if (rate === SAMPLE_RATE) {
        lastRate = rate
        copy(bytes, start, end - ((end - start) % 2))
      } else average(bytes, start, end, rate)
    },
    pushUlaw(bytes, start, end) {
      for (let at = start; at < end; at++) put(ULAW[bytes[at]!]!)
    },
    flush() {
      if (filled === 0) return
      frame.samples.fill(0, filled)
      emit()
    },
    get partial() {
      return filled > 0
    },
  }
}

function createFrame() {
  const samples = new Int16Array(FRAME_SAMPLES)
  // Node runs on little-endian machines only, so the bytes of s16le are the array's own
  return { samples, bytes: new Uint8Array(samples.buffer) }
}
