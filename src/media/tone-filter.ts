import { FRAME_BYTES, FRAME_SAMPLES } from '../platform/audio.ts'
import { keyOf, powerOfPair, strongestPair, twistOf } from './dtmf.ts'
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
/** The current frame within the band; shared by all filters to stay in the processor's cache. */
const band = new Int16Array(FRAME_SAMPLES)
/** Nothing that is quieter than this within the band is a key after an echo: detectors begin at -45 dBFS. */
const FAINT = powerAt(-55)
/**
 * Share of the band's energy in the two strongest tones. A frame of TONE is removed, and two in a row of PAIR with the same two
 * tones: detectors of keys need 0.75 and more, and six frames of speech in a thousand are like that. EDGE beside them is
 * the beginning or the end of the tone. A second frame of SURE is reported: with speech that hardly ever happens.
 */
const TONE = 0.55
const PAIR = 0.42
const EDGE = 0.2
const SURE = 0.5
/** The weaker tone of a pair at most 20 dB below the other is still a key to some detectors. */
const TWIST = 100

/** Finds key tones in sound that goes to another leg, also under hums and whistles that the line there takes away. */
export interface ToneFilter {
  /** Takes 20 ms of s16le from `start` on. True: they must not be heard. */
  removes(bytes: Uint8Array, start: number): boolean
  /** The frame before the last one must not be heard either: it holds the tone's beginning. */
  readonly removesPrevious: boolean
}

/** `onKey`: a second frame of a key's tones was removed, or a further one. */
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
  removesPrevious = false
  /** Of the frame before: whether its share reached EDGE, whether it was a tone, and its pair from PAIR on, else -1. */
  edge = false
  tone = false
  pair = -1

  constructor(onKey: (key: string) => void) {
    this.onKey = onKey
  }

  removes(bytes: Uint8Array, start: number): boolean {
    const power = this.filter(bytes, start)
    const strongest = power < FAINT ? -1 : strongestPair(band)
    const share = strongest === -1 ? 0 : powerOfPair(strongest) / power
    const pair = share >= PAIR ? strongest : -1
    const again = pair !== -1 && pair === this.pair
    const tone = share >= TONE || again
    const edge = share >= EDGE
    const removes = tone || (edge && this.tone)
    this.removesPrevious = tone && this.edge
    if (again && share >= SURE && twistOf(pair) <= TWIST) this.onKey(keyOf(pair))
    this.edge = edge
    this.tone = tone
    this.pair = pair
    return removes
  }

  /** Brings a frame into `band`; returns its mean square there. */
  filter(bytes: Uint8Array, start: number): number {
    const { delays } = this
    const [[a0, a1, a2, a3, a4], [b0, b1, b2, b3, b4], [c0, c1, c2, c3, c4], [d0, d1, d2, d3, d4]] = SECTIONS
    let [p, q, r, s] = [delays[0]!, delays[1]!, delays[2]!, delays[3]!]
    let [t, u, v, w] = [delays[4]!, delays[5]!, delays[6]!, delays[7]!]
    let sum = 0
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
      const sample = Math.round(d)
      band[i] = sample
      sum += sample * sample
    }
    delays[0] = p
    delays[1] = q
    delays[2] = r
    delays[3] = s
    delays[4] = t
    delays[5] = u
    delays[6] = v
    delays[7] = w
    return sum / FRAME_SAMPLES
  }
}
