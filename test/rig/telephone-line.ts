import { LAWS } from '../../src/media/codec.ts'
import { createEar } from '../../src/media/ear.ts'
import { engine, random, synth, tone } from './media-stream.ts'

/** b0, b1, b2, a1, a2 */
type Section = readonly [number, number, number, number, number]

const RATE = 8000
/** Butterworth of fourth order: 300 to 3400 Hz, as a two-wire line passes them. */
const TWO_WIRE = [...highPass(300), ...lowPass(3400)]
/** Samples of Asterisk's blocks, and its rules for a key in one (main/dsp.c), the twist as wide as it can be set. */
const BLOCK = 102
const ASTERISK = { threshold: 8e7, twist: 10 ** 1.2, peak: 6.3, share: 42, hits: 2 }
const ROWS = [697, 770, 852, 941]
const COLUMNS = [1209, 1336, 1477, 1633]
const KEYS = '123A456B789C*0#D'
/** G.711's code for each value of 16 bits. */
const CODES = ulawCodes()

/** Hums and whistles over key tones, in dBFS of their peak; a line takes most of them away. */
export interface Mask {
  hz: number
  level: number
}

interface MaskedTone {
  /** dBFS of the stronger of its two sines. */
  level: number
  /** dB more for the higher one. */
  twist?: number
  masks?: readonly Mask[]
  /** Both sines are so many times higher than those of the key. */
  detune?: number
}

/** One key's tones and the masks over them. */
export function maskedTone(
  key: string,
  ms: number,
  { level, twist = 0, masks = [], detune = 1 }: MaskedTone,
) {
  const at = KEYS.indexOf(key)
  const sines = [
    { hz: ROWS[at >> 2]! * detune, level: level - Math.max(0, twist) },
    { hz: COLUMNS[at & 3]! * detune, level: level + Math.min(0, twist) },
    ...masks,
  ].map(({ hz, level }) => ({ step: (2 * Math.PI * hz) / RATE, amplitude: 10 ** (level / 20) }))
  return synth(ms, (i) => sines.reduce((sum, { step, amplitude }) => sum + amplitude * Math.sin(step * i), 0))
}

/** Key 1 for 100 ms whose phase jumps every 12 ms and more, so that PBXs with blocks as long find it, and longer windows none. */
export function jumpingTone(seed: number): Buffer {
  const next = random(seed)
  const [level, twist, offset] = [-6 - 18 * next(), 12 * next() - 6, Math.floor(160 * next())]
  const [amplitude, other] = [10 ** (level / 20) / 2, 10 ** ((level + twist) / 20) / 2]
  const [together, half, hum] = [next() < 0.5, next() < 0.5, next() < 0.5 ? 0.3 : 0]
  let [row, column, due, jumps] = [0, 0, 90 + 50 * next(), 0]
  return synth(400, (at) => {
    const i = at - 800 - offset
    if (i < 0 || i > 800) return 0
    if (i > due) {
      due += 90 + 60 * next()
      const by = Math.PI * (half ? 1 : 0.4 + 1.2 * next())
      if (together || jumps % 2 === 0) row += by
      if (together || jumps % 2 === 1) column += by
      jumps++
    }
    const t = (2 * Math.PI * i) / RATE
    return amplitude * Math.sin(697 * t + row) + other * Math.sin(1209 * t + column) + hum * Math.sin(120 * t)
  })
}

/** Sounds within the band that hide a short key from whoever looks at whole frames: they sound before and after it. */
export const COVERS: Record<string, (i: number, next: () => number) => number> = {
  noise: (_, next) => 3 * (next() - 0.5),
  'a whistle': (i) => Math.sin(i * 0.8247),
  'a chord': (i) => 0.6 * (Math.sin(i * 0.7854) + Math.sin(i * 0.6283) + Math.sin(i * 0.4869)),
}

interface CoveredTone {
  ms: number
  /** dBFS of the cover. */
  level: number
  cover: string
  seed?: number
}

/** Key 1 of so many ms across the borders of frames, ten times in 480 ms, and a cover in between. */
export function covered({ ms, level, cover, seed = 1 }: CoveredTone): Buffer {
  const next = random(seed)
  const key = tone('1', ms, -14)
  const half = key.length / 4
  return synth(24 * 20, (i) => {
    const from = Math.floor(i / 320 + 0.5) * 320 - half
    const at = i - from
    if (i < 320 || i >= 22 * 160) return 0
    const isKey = at >= 0 && at < 2 * half
    return isKey ? key.readInt16LE(2 * at) / 32_767 : 10 ** (level / 20) * COVERS[cover]!(i, next)
  })
}

/** Sound as it is after G.711's µ-law. */
export function coded(pcm: Buffer): Buffer {
  const out = Buffer.alloc(pcm.length)
  for (let at = 0; at < pcm.length; at += 2) out.writeInt16LE(LAWS.ulaw[CODES[pcm.readUInt16LE(at)]!]!, at)
  return out
}

interface Line {
  /** dB of the echo beside what was played. */
  gain: number
  /** dB more at 1.6 kHz than at 700 Hz. */
  tilt?: number
}

/** What comes back from a two-wire line, piece by piece. */
export function createTwoWireLine({ gain, tilt = 0 }: Line): (pcm: Buffer) => Buffer {
  const factor = 10 ** (gain / 20) / 32_767
  const passes = [...TWO_WIRE.map(createSection), createTilt(tilt)]
  return (pcm) =>
    synth(
      pcm.length / 16,
      (i) => passes.reduce((sample, pass) => pass(sample), pcm.readInt16LE(i * 2)) * factor,
    )
}

/** The keys that an ear of Porteiro's finds in the sound. */
export function keysOfEar(pcm: Buffer): string {
  let keys = ''
  const ear = createEar({
    vad: engine,
    onFact: (fact) => {
      if (fact.type === 'key.pressed') keys += fact.key
    },
  })
  ear.audio(pcm, 0, pcm.length & ~1, RATE)
  ear.idle(100)
  ear.close()
  return keys
}

/** The keys that Asterisk finds in the sound where it looks for them (`dtmf_mode=inband` or `auto`). */
export function keysOfAsterisk(pcm: Buffer): string {
  let keys = ''
  let last = ''
  let hits = 0
  for (let at = 0; at + BLOCK * 2 <= pcm.length; at += BLOCK * 2) {
    const key = keyOfBlock(pcm, at)
    hits = key !== '' && key === last ? hits + 1 : 1
    last = key
    if (key !== '' && hits === ASTERISK.hits) keys += key
  }
  return keys
}

function keyOfBlock(pcm: Buffer, start: number): string {
  let energy = 0
  for (let i = 0; i < BLOCK; i++) energy += pcm.readInt16LE(start + i * 2) ** 2
  if (energy === 0) return ''
  const rows = ROWS.map((hz) => goertzel(pcm, start, hz))
  const columns = COLUMNS.map((hz) => goertzel(pcm, start, hz))
  const [row, column] = [Math.max(...rows), Math.max(...columns)]
  const { threshold, twist, peak, share } = ASTERISK
  const outstanding = (powers: number[], best: number) =>
    powers.every((one) => one === best || one * peak <= best)
  const isKey =
    row >= threshold &&
    column >= threshold &&
    row <= column * twist &&
    column <= row * twist &&
    outstanding(rows, row) &&
    outstanding(columns, column) &&
    row + column > share * energy
  return isKey ? KEYS[rows.indexOf(row) * 4 + columns.indexOf(column)]! : ''
}

function goertzel(pcm: Buffer, start: number, hz: number): number {
  const tuning = 2 * Math.cos((2 * Math.PI * hz) / RATE)
  let [last, before] = [0, 0]
  for (let i = 0; i < BLOCK; i++)
    [last, before] = [pcm.readInt16LE(start + i * 2) + tuning * last - before, last]
  return last * last + before * before - tuning * last * before
}

function createSection([b0, b1, b2, a1, a2]: Section): (sample: number) => number {
  let [s1, s2] = [0, 0]
  return (x) => {
    const y = b0 * x + s1
    s1 = b1 * x - a1 * y + s2
    s2 = b2 * x - a2 * y
    return y
  }
}

/** x[n] + c·x[n-1] of gain 1 at 700 Hz, with c so that 1.6 kHz is `tilt` dB higher. */
function createTilt(tilt: number): (sample: number) => number {
  const power = (c: number, hz: number) => 1 + c * c + 2 * c * Math.cos((2 * Math.PI * hz) / RATE)
  const rise = (c: number) => 10 * Math.log10(power(c, 1600) / power(c, 700))
  let [low, high] = tilt > 0 ? [-0.9, 0] : [0, 0.99]
  for (let step = 0; tilt !== 0 && step < 40; step++) {
    const middle = (low + high) / 2
    if (rise(middle) > tilt) low = middle
    else high = middle
  }
  const c = tilt === 0 ? 0 : low
  const scale = 1 / Math.sqrt(power(c, 700))
  let before = 0
  return (sample) => {
    const out = (sample + c * before) * scale
    before = sample
    return out
  }
}

function highPass(hz: number): Section[] {
  return butterworth(hz, (cos) => [(1 + cos) / 2, -(1 + cos), (1 + cos) / 2])
}

function lowPass(hz: number): Section[] {
  return butterworth(hz, (cos) => [(1 - cos) / 2, 1 - cos, (1 - cos) / 2])
}

function butterworth(hz: number, numerator: (cos: number) => [number, number, number]): Section[] {
  const angle = (2 * Math.PI * hz) / RATE
  return [0.5411961, 1.306563].map((quality) => {
    const alpha = Math.sin(angle) / (2 * quality)
    const [b0, b1, b2] = numerator(Math.cos(angle))
    const whole = 1 + alpha
    return [b0 / whole, b1 / whole, b2 / whole, (-2 * Math.cos(angle)) / whole, (1 - alpha) / whole]
  })
}

/** Codes by the 16 bits of the value as an unsigned number: the nearest value of each. */
function ulawCodes(): Uint8Array {
  const sorted = [...LAWS.ulaw.keys()].sort((one, other) => LAWS.ulaw[one]! - LAWS.ulaw[other]!)
  const codes = new Uint8Array(65_536)
  let at = 0
  for (let value = -32_768; value < 32_768; value++) {
    while (
      at + 1 < 256 &&
      Math.abs(LAWS.ulaw[sorted[at + 1]!]! - value) <= Math.abs(LAWS.ulaw[sorted[at]!]! - value)
    )
      at++
    codes[value & 0xffff] = sorted[at]!
  }
  return codes
}
