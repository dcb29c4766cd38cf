import { FRAME_BYTES, FRAME_SAMPLES, SAMPLE_RATE } from '../platform/audio.ts'
import { keyOf, pairOf } from './dtmf.ts'
import { before, goertzel, HZ, last, TUNING } from './goertzel.ts'
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
/**
 * Windows are put together from pieces, because a tone whose phase jumps is none to a whole window, and one to a PBX between whose
 * blocks it jumps.
 */
const PIECE = 20
const PIECES = WINDOW / PIECE
const KEPT = TAIL / PIECE
const HELD = KEPT + FRAME_SAMPLES / PIECE
const TONES = HZ.length
/** The current frame within the band; shared by all filters to stay in the processor's cache, as all that follows. */
const band = new Int16Array(FRAME_SAMPLES)
/** Of each piece, from the end of the frame before on: its energy, and the complex amplitude of each tone. */
const energies = new Float64Array(HELD)
const reals = new Float64Array(TONES * HELD)
const imaginaries = new Float64Array(TONES * HELD)
/** Of each tone, what the first 0, 1, 2 … pieces of a window add up to. */
const realSums = new Float64Array(TONES * (PIECES + 1))
const imaginarySums = new Float64Array(TONES * (PIECES + 1))
/** Of each tone in a window: power, and power if its phase jumps once. */
const powers = new Float64Array(TONES)
const jumping = new Float64Array(TONES)
const angles = HZ.map((hz) => (2 * Math.PI * hz) / SAMPLE_RATE)
/** They give the phase. */
const SINES = Float64Array.from(angles, Math.sin)
/** Of each tone, its turn from the beginning of a window to that of each piece. */
const turns = (wave: (angle: number) => number) =>
  Float64Array.from({ length: TONES * PIECES }, (_, at) =>
    wave(angles[Math.floor(at / PIECES)]! * (at % PIECES) * PIECE),
  )
const [TURN_COSINES, TURN_SINES] = [turns(Math.cos), turns(Math.sin)]
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
/** The same for tones that jump: where to is free, so that speech reaches more. */
const JUMPING_SHARE = 0.8
const JUMPING_PEAK = 1.5
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
    const from = filter.removesPrevious ? at - FRAME_BYTES : at
    clean.fill(0, Math.max(0, from), at + FRAME_BYTES)
  }
  return clean
}

class BandToneFilter implements ToneFilter {
  readonly onKey: (key: string) => void
  readonly delays = new Float64Array(SECTIONS.length * DELAYS)
  /** Of the last pieces of the frame before. */
  readonly energies = new Float64Array(KEPT)
  readonly reals = new Float64Array(TONES * KEPT)
  readonly imaginaries = new Float64Array(TONES * KEPT)
  removesPrevious = false
  hints = false
  /** The pair of the window before if it may be a key's, else -1. */
  pair = -1
  sure = false

  constructor(onKey: (key: string) => void) {
    this.onKey = onKey
  }

  removes(bytes: Uint8Array, start: number): boolean {
    this.filter(bytes, start)
    this.cut()
    this.removesPrevious = false
    this.hints = false
    let removes = false
    for (let from = 0; from < FRAME_SAMPLES; from += STEP) {
      const before = this.pair
      const wasSure = this.sure
      this.weigh(from / PIECE)
      if (this.pair !== -1) this.hints = true
      if (this.pair === -1 || this.pair !== before) continue
      removes = true
      // the window before is part of it
      if (from - STEP < TAIL) this.removesPrevious = true
      if (wasSure && this.sure) this.onKey(keyOf(this.pair))
    }
    return removes
  }

  /** Cuts the frame into pieces, behind the last ones of the frame before. */
  cut(): void {
    move(1, this.energies, KEPT, 0, energies, HELD)
    move(TONES, this.reals, KEPT, 0, reals, HELD)
    move(TONES, this.imaginaries, KEPT, 0, imaginaries, HELD)
    for (let piece = KEPT, from = 0; piece < HELD; piece++, from += PIECE) measure(piece, from)
    move(1, energies, HELD, HELD - KEPT, this.energies, KEPT)
    move(TONES, reals, HELD, HELD - KEPT, this.reals, KEPT)
    move(TONES, imaginaries, HELD, HELD - KEPT, this.imaginaries, KEPT)
  }

  /** Looks for a key's tones in the window that begins with this piece. */
  weigh(first: number): void {
    let energy = 0
    for (let piece = first; piece < first + PIECES; piece++) energy += energies[piece]!
    this.pair = -1
    if (energy < FAINT * WINDOW) return
    sumUp(first)
    const pair = strongestPair(powers)
    const share = shareOf(powers, pair, energy)
    this.sure = share >= SURE && twistOf(powers, pair) <= TWIST
    if (share >= CLEAR || (share >= SHARE && standsOut(powers, pair, PEAK))) this.pair = pair
    else this.weighJumping(energy)
  }

  /** The same for tones whose phase jumps between two of the window's pieces, or within one. */
  weighJumping(energy: number): void {
    for (let at = 1; at < PIECES; at++) {
      addJumping(at)
      const pair = strongestPair(jumping)
      if (shareOf(jumping, pair, energy) < JUMPING_SHARE || !standsOut(jumping, pair, JUMPING_PEAK)) continue
      this.pair = pair
      this.sure = twistOf(jumping, pair) <= TWIST
      return
    }
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
      band[i] = Math.round(d)
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

/** Moves KEPT pieces of each tone to the beginning of its row. */
function move(
  tones: number,
  source: Float64Array,
  width: number,
  first: number,
  target: Float64Array,
  targetWidth: number,
): void {
  for (let tone = 0; tone < tones; tone++)
    for (let piece = 0; piece < KEPT; piece++)
      target[tone * targetWidth + piece] = source[tone * width + first + piece]!
}

/** Energy and tones of the piece of the frame that begins at `from`. */
function measure(piece: number, from: number): void {
  let energy = 0
  for (let i = from; i < from + PIECE; i++) energy += band[i]! * band[i]!
  energies[piece] = energy
  goertzel(band, from, from + PIECE, 0)
  goertzel(band, from, from + PIECE, 4)
  for (let tone = 0, at = piece; tone < TONES; tone++, at += HELD) {
    reals[at] = last[tone]! - (TUNING[tone]! / 2) * before[tone]!
    imaginaries[at] = SINES[tone]! * before[tone]!
  }
}

/** Sets the sums and powers of the window that begins with this piece. */
function sumUp(first: number): void {
  for (let tone = 0; tone < TONES; tone++) {
    let x = 0
    let y = 0
    let at = tone * HELD + first
    let turn = tone * PIECES
    let sum = tone * (PIECES + 1) + 1
    for (let k = 0; k < PIECES; k++, at++, turn++, sum++) {
      const real = reals[at]!
      const imaginary = imaginaries[at]!
      const cosine = TURN_COSINES[turn]!
      const sine = TURN_SINES[turn]!
      x += real * cosine + imaginary * sine
      y += imaginary * cosine - real * sine
      realSums[sum] = x
      imaginarySums[sum] = y
    }
    powers[tone] = x * x + y * y
  }
}

/** Sets the powers of the tones, of each that jumps after so many pieces. */
function addJumping(pieces: number): void {
  for (let tone = 0; tone < TONES; tone++) {
    const at = tone * (PIECES + 1)
    const x = realSums[at + pieces]!
    const y = imaginarySums[at + pieces]!
    const v = realSums[at + PIECES]! - x
    const w = imaginarySums[at + PIECES]! - y
    const amplitude = Math.sqrt(x * x + y * y) + Math.sqrt(v * v + w * w)
    jumping[tone] = amplitude * amplitude
  }
}

/** The strongest row and column, as one number for `keyOf`. */
function strongestPair(powers: Float64Array): number {
  let [row, column] = [0, 4]
  for (let tone = 1; tone < 4; tone++) {
    if (powers[tone]! > powers[row]!) row = tone
    if (powers[tone + 4]! > powers[column]!) column = tone + 4
  }
  return pairOf(row, column)
}

/** Share of a window's energy in the two tones: a pure sine of n samples has a power of energy × n / 2. */
function shareOf(powers: Float64Array, pair: number, energy: number): number {
  return ((powers[pair >> 2]! + powers[4 + (pair & 3)]!) * 2) / (WINDOW * energy)
}

/** Whether each tone of the pair has so many times the power of the others in its group. */
function standsOut(powers: Float64Array, pair: number, ratio: number): boolean {
  const [row, column] = [pair >> 2, 4 + (pair & 3)]
  for (let tone = 0; tone < TONES; tone++) {
    const best = tone < 4 ? row : column
    if (tone !== best && powers[tone]! * ratio > powers[best]!) return false
  }
  return true
}

/** Ratio of the stronger tone's power to the weaker one's. */
function twistOf(powers: Float64Array, pair: number): number {
  const [low, high] = [powers[pair >> 2]!, powers[4 + (pair & 3)]!]
  return low > high ? low / high : high / low
}
