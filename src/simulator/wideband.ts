import { FRAME_BYTES } from '../platform/audio.ts'

/** Samples by which a server's sound at 16 kHz is later than at 8 kHz: half of its upsampler's taps. */
const DELAY = 8

/** Brings a phone that sends and hears 16 kHz, kind 0x12, together with prompts and speech of 8 kHz. */
export interface Wideband {
  /** The same sound with twice the samples, each new one halfway between two old ones. */
  widened(pcm: Uint8Array): Buffer
  /** The frame of 8 kHz that is complete with this one of 16 kHz; a frame later, because of the delay. */
  narrowed(bytes: Buffer, start: number): Buffer | undefined
}

export function createWideband(): Wideband {
  let last = 0
  let kept: Buffer | undefined
  return {
    widened(pcm) {
      const narrow = Buffer.from(pcm.buffer, pcm.byteOffset, pcm.length)
      const wide = Buffer.alloc(narrow.length * 2)
      for (let at = 0; at < narrow.length; at += 2) {
        const sample = narrow.readInt16LE(at)
        wide.writeInt16LE((last + sample) >> 1, at * 2)
        wide.writeInt16LE(sample, at * 2 + 2)
        last = sample
      }
      return wide
    },
    narrowed(bytes, start) {
      const every = Buffer.alloc(FRAME_BYTES)
      for (let at = 0; at < FRAME_BYTES; at += 2) every.writeInt16LE(bytes.readInt16LE(start + at * 2), at)
      const before = kept
      kept = every
      return before && Buffer.concat([before.subarray(DELAY * 2), every.subarray(0, DELAY * 2)])
    },
  }
}
