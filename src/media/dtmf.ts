import { FRAME_SAMPLES, SAMPLE_RATE } from '../audio.ts'
import { powerAt, powerOf } from './level.ts'

const ROWS = [697, 770, 852, 941]
const COLUMNS = [1209, 1336, 1477, 1633]
const KEYS = ['123A', '456B', '789C', '*0#D']
/** Goertzel's coefficients of the eight tones (ITU-T Q.23). */
const TUNING = Float64Array.from(
  [...ROWS, ...COLUMNS],
  (hz) => 2 * Math.cos((2 * Math.PI * hz) / SAMPLE_RATE),
)
/** The quietest key that is one. */
const FAINT = powerAt(-42)
/** How much one tone may be stronger than the other: 9 dB, the Brazilian administration's value in ITU-T Q.24. */
const TWIST = 10 ** 0.9
/**
 * Share of a frame's energy in its two tones; it falls with the part of the frame that they fill. From HINT on a frame
 * supports its neighbour, from PRESENT on it is no gap, and each key has one frame that is PURE: speech does not reach two
 * frames like this in a row.
 */
const HINT = 0.42
const PRESENT = 0.55
const PURE = 0.75
const TONE_FRAMES = 2
const GAP_FRAMES = 2

export interface DtmfDetector {
  /** One frame of 160 samples; `power` is its mean square, if the caller has it already. */
  push(samples: Int16Array, power?: number): void
  /** The stream has a gap: a tone that sounded has ended. */
  flush(): void
  /** Forgets a tone that sounds and returns its key, if it was one. */
  drop(): string | undefined
  /** True while the last frame held two tones. */
  readonly sounding: boolean
}

/** Hears keys as pairs of tones: at least 40 ms of tone and 40 ms between two. Each is told once, at the tone's end. */
export function createDtmfDetector(onKey: (key: string) => void): DtmfDetector {
  const powers = new Float64Array(8)
  let candidate: string | undefined
  let previous: string | undefined
  let hits = 0
  let misses = 0
  let pure = false
  let share = 0

  function hear(samples: Int16Array, power: number): string | undefined {
    share = 0
    if (power < FAINT) return undefined
    for (let tone = 0; tone < 8; tone++) powers[tone] = goertzel(samples, TUNING[tone]!)
    const row = strongest(powers, 0)
    const column = strongest(powers, 4)
    const low = powers[row]!
    const high = powers[column]!
    if (low > high * TWIST || high > low * TWIST) return undefined
    // a pure sine of n samples has a Goertzel power of energy × n / 2
    share = ((low + high) * 2) / (power * FRAME_SAMPLES * FRAME_SAMPLES)
    return share >= HINT ? KEYS[row]![column - 4] : undefined
  }

  function finish(): void {
    const key = drop()
    if (key !== undefined) onKey(key)
  }

  function drop(): string | undefined {
    const key = hits >= TONE_FRAMES && pure ? candidate : undefined
    candidate = undefined
    hits = 0
    misses = 0
    pure = false
    return key
  }

  function push(samples: Int16Array, power = powerOf(samples)): void {
    const key = hear(samples, power)
    candidate ??= key
    if (candidate !== undefined) weigh(key)
    previous = key
  }

  function weigh(key: string | undefined): void {
    if (key === candidate) {
      hits++
      pure ||= share >= PURE
    }
    if (key === candidate && share >= PRESENT) misses = 0
    else misses++
    if (misses < GAP_FRAMES) return
    finish()
    // it may be the first or the second frame of the next key
    candidate = key
    hits = key === undefined ? 0 : key === previous ? 2 : 1
  }

  return {
    push,
    flush() {
      finish()
      previous = undefined
    },
    drop,
    get sounding() {
      return previous !== undefined
    },
  }
}

function goertzel(samples: Int16Array, tuning: number): number {
  let last = 0
  let before = 0
  for (let i = 0; i < FRAME_SAMPLES; i++) {
    const now = samples[i]! + tuning * last - before
    before = last
    last = now
  }
  return last * last + before * before - tuning * last * before
}

/** The strongest tone of the four that begin at `first`. */
function strongest(powers: Float64Array, first: number): number {
  let best = first
  for (let tone = first + 1; tone < first + 4; tone++) if (powers[tone]! > powers[best]!) best = tone
  return best
}
