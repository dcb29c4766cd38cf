import { FRAME_MS, FRAME_SAMPLES } from '../platform/audio.ts'
import { before, goertzel, last, TUNING } from './goertzel.ts'
import { powerAt, powerOf } from './level.ts'

const KEYS = ['123A', '456B', '789C', '*0#D']
/** Powers of the eight tones in the current frame; shared by all detectors to stay in the processor's cache. */
const powers = new Float64Array(8)
/** Share of the frame's energy in its two strongest tones. */
let share = 0
/** Power of the quietest key. */
const FAINT = powerAt(-42)
/** Maximum ratio of the two tones: 9 dB, the Brazilian administration's value in ITU-T Q.24. */
const TWIST = 10 ** 0.9
/**
 * Share of a frame's energy in its two tones; it falls with the part of the frame that they fill. From HINT on a frame
 * supports its neighbour, from PRESENT on it is no gap, and each key has one PURE frame: speech does not reach two
 * frames like this in a row.
 */
const HINT = 0.42
const PRESENT = 0.55
const PURE = 0.75
const TONE_FRAMES = 2
const GAP_FRAMES = 2

export interface DtmfDetector {
  /** One frame of 160 samples; `power` is its mean square, if already known. */
  push(samples: Int16Array, power?: number): void
  /** The stream has a gap: ends the current tone. */
  flush(): void
  /** Discards the current tone and returns its key, if it was one. */
  drop(): string | undefined
  /** The key whose two tones the last frame contained, from the first such frame on, long before it is confirmed. */
  sounding(): string | undefined
  /** A key's tones have been heard in at least two frames, and still are. */
  pressing(): boolean
  /** How long the tones of the current key, or of the one being reported, were heard after their second frame, in ms. */
  heldMs(): number
}

/** Detects keys as pairs of tones: at least 40 ms of tone and 40 ms between two. Reports each once, at the tone's end. */
export function createDtmfDetector(onKey: (key: string) => void): DtmfDetector {
  return new ToneDetector(onKey)
}

class ToneDetector implements DtmfDetector {
  readonly onKey: (key: string) => void
  candidate: string | undefined = undefined
  previous: string | undefined = undefined
  hits = 0
  misses = 0
  pure = false
  /** Frames since the second of the current tone, and up to its last one. */
  since = 0
  held = 0

  constructor(onKey: (key: string) => void) {
    this.onKey = onKey
  }

  push(samples: Int16Array, power = powerOf(samples)): void {
    const key = power < FAINT ? undefined : keyIn(samples, power)
    this.candidate ??= key
    if (this.candidate !== undefined) this.weigh(key)
    this.previous = key
  }

  flush(): void {
    this.finish()
    this.previous = undefined
  }

  drop(): string | undefined {
    const key = this.hits >= TONE_FRAMES && this.pure ? this.candidate : undefined
    this.candidate = undefined
    this.hits = 0
    this.misses = 0
    this.pure = false
    this.since = 0
    return key
  }

  sounding(): string | undefined {
    return this.previous
  }

  pressing(): boolean {
    return this.hits >= TONE_FRAMES
  }

  heldMs(): number {
    return this.held * FRAME_MS
  }

  weigh(key: string | undefined): void {
    if (this.hits >= TONE_FRAMES) this.since++
    if (key === this.candidate) {
      this.held = this.since
      this.hits++
      this.pure ||= share >= PURE
    }
    if (key === this.candidate && share >= PRESENT) this.misses = 0
    else this.misses++
    if (this.misses < GAP_FRAMES) return
    this.finish()
    // it may be the first or the second frame of the next key
    this.candidate = key
    this.hits = key === undefined ? 0 : key === this.previous ? 2 : 1
  }

  finish(): void {
    const key = this.drop()
    if (key !== undefined) this.onKey(key)
  }
}

/** The key of a frame's tones; undefined when one is too weak beside the other. Sets `share`. */
function keyIn(samples: Int16Array, power: number): string | undefined {
  share = 0
  weigh(samples, 0)
  // the column may be 9 dB louder than the row: with less than this in the row it is no key, as in most frames
  if (meanSquareOf(strongest(0), FRAME_SAMPLES) * (1 + TWIST) < HINT * power) return undefined
  weigh(samples, 4)
  const [row, column] = [strongest(0), strongest(4)]
  const [low, high] = [powers[row]!, powers[column]!]
  if (low > high * TWIST || high > low * TWIST) return undefined
  share = (meanSquareOf(row, FRAME_SAMPLES) + meanSquareOf(column, FRAME_SAMPLES)) / power
  return share >= HINT ? keyOf(pairOf(row, column)) : undefined
}

/** A row and a column, as one number for `keyOf`. */
export function pairOf(row: number, column: number): number {
  return row * 4 + column - 4
}

export function keyOf(pair: number): string {
  return KEYS[pair >> 2]![pair & 3]!
}

/** Mean square of one tone: a pure sine of n samples has a Goertzel power of energy × n / 2. */
function meanSquareOf(tone: number, count: number): number {
  return (powers[tone]! * 2) / (count * count)
}

/** Sets the powers of the four tones that begin at `first`. */
function weigh(samples: Int16Array, first: number): void {
  goertzel(samples, 0, FRAME_SAMPLES, first)
  for (let tone = first; tone < first + 4; tone++) {
    const [a, b] = [last[tone]!, before[tone]!]
    powers[tone] = a * a + b * b - TUNING[tone]! * a * b
  }
}

/** The strongest tone of the four that begin at `first`. */
function strongest(first: number): number {
  let best = first
  for (let tone = first + 1; tone < first + 4; tone++) if (powers[tone]! > powers[best]!) best = tone
  return best
}
