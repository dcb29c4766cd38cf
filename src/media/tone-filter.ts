import { FRAME_BYTES, FRAME_SAMPLES } from '../platform/audio.ts'
import { keyOf, powerOfPair, standsOut, strongestPair, twistOf } from './dtmf.ts'
import { powerAt } from './level.ts'

/**
 * Sections of the band-pass (b0, b1, b2, a1, a2): Butterworth of fourth order from 550 to 1850 Hz. The tones are within
 * 1 dB; 120 Hz is 53 dB down, 3 kHz 34 dB and 3.6 kHz 70 dB, which is more than any telephone line does.
 */
const SECTIONS = [
  [0.5657345511154467, -1.1314691022308934, 0.5657345511154467, -1.3097042991306396, 0.4421782125104687],
  [1, -2, 1, -1.5654750934760888, 0.7238197000174966],
  [0.07357224074378532, 0.14714448148757064, 0.07357224074378532, -0.12259597579629791, 0.04303803255704091],
  [1, 2, 1, -0.17034024685127308, 0.44924296892294774],
] as const
/** State of a section. */
const DELAYS = 2
/**
 * Samples of a window, and between the beginnings of two. PBXs look for keys in blocks of 102 samples (Asterisk) and more, and
 * want two in a row: whatever else sounds before and after them, even within the same frame, two windows in a row lie within those
 * blocks.
 */
const WINDOW = 100
const STEP = 40
/** Samples of the frame before that the first windows of a frame begin with. */
const TAIL = WINDOW - STEP
/** The current frame within the band, behind the end of the one before; shared by all filters to stay in the processor's cache. */
const band = new Int16Array(TAIL + FRAME_SAMPLES)
/** Nothing that is quieter than this within the band is a key after an echo: detectors begin at -45 dBFS. */
const FAINT = powerAt(-55)
/**
 * Share of a window's energy in its two strongest tones from which it may be a key's: PBXs want 0.8. Below CLEAR each tone must
 * have PEAK times the power of the others in its group, which PBXs demand, too: else one frame of speech in sixty were removed, not one
 * in a hundred and sixty. From SURE on the key is reported.
 */
const SHARE = 0.42
const CLEAR = 0.65
const PEAK = 4
const SURE = 0.5
/** The weaker tone of a pair at most 20 dB below the other is still a key to some detectors. */
const TWIST = 100

/** Finds key tones in sound that goes to another leg, also under hums and whistles that the line there takes away. */
export interface ToneFilter {
  /** Takes 20 ms of s16le from `start` on. True: they must not be heard. */
  removes(bytes: Uint8Array, start: number): boolean
  /** The frame before the last one must not be heard either: it holds the tone's beginning. */
  readonly removesPrevious: boolean
  /** A window of the last frame may be a key's, though alone it is none. */
  readonly hints: boolean
}

/** `onKey`: a second window of a key's tones was removed, or a further one. */
export function createToneFilter(onKey: (key: string) => void = () => {}): ToneFilter {
  return new BandToneFilter(onKey)
}

/** A copy of the sound, in whole frames, in which frames with key tones are silent. */
export function withoutTones(pcm: Buffer): Buffer {
  const filter = createToneFilter()
  const clean = Buffer.alloc(Math.ceil(pcm.length / FRAME_BYTES) * FRAME_BYTES)
  pcm.copy(clean)
  for (let at = 0; at < clean.length; at += FRAME_BYTES) {
    if (!filter.removes(clean, at)) continue
    clean.fill(0, filter.removesPrevious ? at - FRAME_BYTES : at, at + FRAME_BYTES)
  }
  return clean
}

class BandToneFilter implements ToneFilter {
  readonly onKey: (key: string) => void
  readonly delays = new Float64Array(SECTIONS.length * DELAYS)
  readonly tail = new Int16Array(TAIL)
  removesPrevious = false
  hints = false
  /** The pair of the window before if it may be a key's, else -1. */
  pair = -1
  sure = false

  constructor(onKey: (key: string) => void) {
    this.onKey = onKey
  }

  removes(bytes: Uint8Array, start: number): boolean {
    band.set(this.tail)
    this.filter(bytes, start)
    this.tail.set(band.subarray(FRAME_SAMPLES))
    this.removesPrevious = false
    this.hints = false
    let removes = false
    for (let from = 0; from < FRAME_SAMPLES; from += STEP) {
      const before = this.pair
      const wasSure = this.sure
      this.weigh(from)
      if (this.pair !== -1) this.hints = true
      if (this.pair === -1 || this.pair !== before) continue
      removes = true
      // the window before is part of it
      if (from - STEP < TAIL) this.removesPrevious = true
      if (wasSure && this.sure && twistOf(this.pair) <= TWIST) this.onKey(keyOf(this.pair))
    }
    return removes
  }

  /** Looks for a key's tones in the window that begins there. */
  weigh(from: number): void {
    let sum = 0
    for (let i = from; i < from + WINDOW; i++) sum += band[i]! * band[i]!
    const power = sum / WINDOW
    this.pair = -1
    if (power < FAINT) return
    const pair = strongestPair(band, from, WINDOW)
    const share = powerOfPair(pair, WINDOW) / power
    this.sure = share >= SURE
    if (share >= CLEAR || (share >= SHARE && standsOut(pair, PEAK))) this.pair = pair
  }

  /** Brings a frame into `band`. */
  filter(bytes: Uint8Array, start: number): void {
    const { delays } = this
    const [[a0, a1, a2, a3, a4], [b0, b1, b2, b3, b4], [c0, c1, c2, c3, c4], [d0, d1, d2, d3, d4]] = SECTIONS
    let [p, q, r, s] = [delays[0]!, delays[1]!, delays[2]!, delays[3]!]
    let [t, u, v, w] = [delays[4]!, delays[5]!, delays[6]!, delays[7]!]
    for (let i = 0, at = start; i < FRAME_SAMPLES; i++, at += 2) {
      const x = ((bytes[at]! | (bytes[at + 1]! << 8)) << 16) >> 16
      const a = a0 * x + p
      p = a1 * x - a3 * a + q
      q = a2 * x - a4 * a
      const b = b0 * a + r
      r = b1 * a - b3 * b + s
      s = b2 * a - b4 * b
      const c = c0 * b + t
      t = c1 * b - c3 * c + u
      u = c2 * b - c4 * c
      const d = d0 * c + v
      v = d1 * c - d3 * d + w
      w = d2 * c - d4 * d
      band[TAIL + i] = Math.round(d)
    }
    delays[0] = p
    delays[1] = q
    delays[2] = r
    delays[3] = s
    delays[4] = t
    delays[5] = u
    delays[6] = v
    delays[7] = w
  }
}
