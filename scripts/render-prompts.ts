/**
 * Renders prompts/catalogue.json to prompts/<locale>/<id>.wav with espeak-ng, which must be installed (Debian: apt install
 * espeak-ng). The same catalogue and espeak-ng give the same bytes. `node scripts/render-prompts.ts [id…]`
 */
import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Locale, SAMPLE_RATE } from '../src/audio.ts'
import { CATALOGUE, isPromptId, PROMPT_IDS } from '../src/media/prompt-ids.ts'
import { parseWav, writeWav } from '../src/media/wav.ts'

/** Words a minute and pitch of a calm porter; espeak-ng's own defaults are 175 and 50. */
const VOICES: Record<Locale, readonly string[]> = {
  'pt-BR': ['-v', 'pt-br', '-s', '152', '-p', '42'],
  en: ['-v', 'en-us', '-s', '155', '-p', '42'],
}
const TARGET_RMS = 10 ** (-18 / 20)
const CEILING = 10 ** (-3.2 / 20)
/** Below this share of the peak nothing is heard over a telephone. */
const SILENCE = 0.01
const MARGIN = (SAMPLE_RATE * 60) / 1000
const FADE = (SAMPLE_RATE * 5) / 1000
/** The telephone's band ends at 3400 Hz; the filter is 80 dB down by 4000. */
const CUTOFF = 3600
const HALF_WIDTH_MS = 6
const KAISER_BETA = 8

const root = join(import.meta.dirname, '..', 'prompts')
const wanted = process.argv.slice(2)
for (const id of wanted) if (!isPromptId(id)) throw new Error(`${id} is not in the catalogue`)
const ids = wanted.length > 0 ? PROMPT_IDS.filter((id) => wanted.includes(id)) : PROMPT_IDS

for (const locale of Object.keys(VOICES) as Locale[]) {
  const directory = join(root, locale)
  await mkdir(directory, { recursive: true })
  let bytes = 0
  let longest = { id: '', ms: 0 }
  for (const id of ids) {
    const pcm = render(CATALOGUE[id][locale], locale)
    await writeWav(join(directory, `${id}.wav`), pcm)
    bytes += pcm.length + 44
    const ms = pcm.length / 16
    if (ms > longest.ms) longest = { id, ms }
  }
  console.log(
    `${locale}: ${ids.length} prompts, ${(bytes / 1e6).toFixed(2)} MB, ${(bytes / 16000).toFixed(0)} s of speech, longest ${longest.id} (${(longest.ms / 1000).toFixed(1)} s)`,
  )
}

function render(text: string, locale: Locale): Buffer {
  const speech = execFileSync('espeak-ng', [...VOICES[locale], '--stdout', text], { maxBuffer: 1 << 26 })
  const { rate, data } = parseWav(speech, 'espeak-ng')
  const wide = Float64Array.from({ length: data.length >> 1 }, (_, i) => data.readInt16LE(i * 2) / 32768)
  const narrow = trim(resample(wide, rate))
  const gain = TARGET_RMS / activeRms(narrow)
  const loud = limit(narrow.map((sample) => sample * gain))
  const pcm = Buffer.alloc(loud.length * 2)
  for (const [i, sample] of loud.entries()) {
    const edge = Math.min(1, i / FADE, (loud.length - 1 - i) / FADE)
    pcm.writeInt16LE(Math.round(sample * edge * 32767), i * 2)
  }
  return pcm
}

/** Band-limited interpolation: a Kaiser-windowed sinc, centred where each new sample lies between the old ones. */
function resample(samples: Float64Array, rate: number): Float64Array {
  const half = Math.ceil((rate * HALF_WIDTH_MS) / 1000)
  // the new samples fall on so many different places between two old ones, in turn
  const kernels = Array.from({ length: SAMPLE_RATE / divisor(rate, SAMPLE_RATE) }, (_, phase) => {
    const fraction = ((phase * rate) / SAMPLE_RATE) % 1
    return Float64Array.from({ length: 2 * half }, (_, tap) => lowPass(tap - half + 1 - fraction, half, rate))
  })
  const out = new Float64Array(Math.floor((samples.length * SAMPLE_RATE) / rate))
  return out.map((_, n) => {
    const first = Math.floor((n * rate) / SAMPLE_RATE) - half + 1
    return kernels[n % kernels.length]!.reduce(
      (sum, weight, tap) => sum + weight * (samples[first + tap] ?? 0),
      0,
    )
  })
}

function lowPass(distance: number, half: number, rate: number): number {
  const share = (2 * CUTOFF) / rate
  const x = Math.PI * share * distance
  const window =
    bessel(KAISER_BETA * Math.sqrt(Math.max(0, 1 - (distance / half) ** 2))) / bessel(KAISER_BETA)
  return window * (x === 0 ? share : (share * Math.sin(x)) / x)
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}

/** The modified Bessel function of the first kind and order zero, by its power series. */
function bessel(x: number): number {
  let term = 1
  let sum = 1
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2
    sum += term
  }
  return sum
}

function trim(samples: Float64Array): Float64Array {
  const floor = peakOf(samples) * SILENCE
  const first = samples.findIndex((sample) => Math.abs(sample) > floor)
  const last = samples.findLastIndex((sample) => Math.abs(sample) > floor)
  const trimmed = new Float64Array(last - first + 1 + 2 * MARGIN)
  // what lies in the margins is the sound's own beginning and decay, where there is any
  const from = Math.max(0, first - MARGIN)
  trimmed.set(samples.subarray(from, Math.min(samples.length, last + 1 + MARGIN)), MARGIN - (first - from))
  return trimmed
}

/** RMS of the 20 ms stretches that are speech: pauses between words must not make a prompt louder. */
function activeRms(samples: Float64Array): number {
  const stretch = SAMPLE_RATE / 50
  const powers: number[] = []
  for (let at = 0; at < samples.length; at += stretch) {
    const part = samples.subarray(at, at + stretch)
    powers.push(part.reduce((sum, sample) => sum + sample * sample, 0) / part.length)
  }
  const floor = Math.max(...powers) / 1000
  const active = powers.filter((power) => power > floor)
  return Math.sqrt(active.reduce((sum, power) => sum + power, 0) / active.length)
}

/** Peaks above the ceiling are turned down smoothly, 5 ms ahead and 5 ms after, so that nothing clips. */
function limit(samples: Float64Array): Float64Array {
  const gains = samples.map((sample) => Math.min(1, CEILING / Math.max(Math.abs(sample), 1e-9)))
  const lowest = gains.map((_, i) => Math.min(...gains.subarray(Math.max(0, i - FADE), i + FADE + 1)))
  return samples.map((sample, i) => {
    const around = lowest.subarray(Math.max(0, i - FADE), i + FADE + 1)
    return sample * (around.reduce((sum, gain) => sum + gain, 0) / around.length)
  })
}

function peakOf(samples: Float64Array): number {
  return samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0)
}
