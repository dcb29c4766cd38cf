import { setImmediate as nextTurn } from 'node:timers/promises'

/** The telephone's band ends at 3400 Hz; the filter is 80 dB down by 4000. */
const CUTOFF = 3600
const HALF_WIDTH_MS = 6
const KAISER_BETA = 8
/** Supported rates in Hz; others would need thousands of kernels. */
export const RATES: readonly number[] = [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]
/** New samples between two turns of the event loop: under 2 ms of work, because calls are paced on this thread. */
const TURN_SAMPLES = 4000

/**
 * Samples at another rate, both of RATES, cut to the telephone's band. Band-limited interpolation: a Kaiser-windowed
 * sinc, centred where each new sample lies between the old ones. Yields to the event loop in between.
 */
export async function resample(samples: Float64Array, from: number, to: number): Promise<Float64Array> {
  if (from === to) return samples
  const half = halfWidth(from)
  const kernels = kernelsOf(from, to)
  const out = new Float64Array(Math.floor((samples.length * to) / from))
  for (let n = 0; n < out.length; n++) {
    if (n > 0 && n % TURN_SAMPLES === 0) await nextTurn()
    const first = Math.floor((n * from) / to) - half + 1
    const kernel = kernels[n % kernels.length]!
    const last = Math.min(2 * half, samples.length - first)
    let sum = 0
    for (let tap = Math.max(0, -first); tap < last; tap++) sum += kernel[tap]! * samples[first + tap]!
    out[n] = sum
  }
  return out
}

const known = new Map<string, Float64Array[]>()

/** Computed once per pair of rates: the 160 of espeak-ng's 22,050 Hz take some ms. */
function kernelsOf(from: number, to: number): Float64Array[] {
  const name = `${from} ${to}`
  const made = known.get(name)
  if (made) return made
  const half = halfWidth(from)
  // new samples cycle through this many positions between two old ones
  const kernels = Array.from({ length: to / divisor(from, to) }, (_, phase) => {
    const fraction = ((phase * from) / to) % 1
    return Float64Array.from({ length: 2 * half }, (_, tap) => lowPass(tap - half + 1 - fraction, half, from))
  })
  known.set(name, kernels)
  return kernels
}

const halfWidth = (rate: number) => Math.ceil((rate * HALF_WIDTH_MS) / 1000)

/** s16le as numbers from -1 to 1. */
export function samplesOf(pcm: Buffer): Float64Array {
  // a view needs an even address; Node runs on little-endian machines only
  const { buffer, byteOffset } = pcm.byteOffset % 2 === 0 ? pcm : new Uint8Array(pcm)
  const whole = new Int16Array(buffer, byteOffset, pcm.length >> 1)
  const samples = new Float64Array(whole.length)
  for (let i = 0; i < samples.length; i++) samples[i] = whole[i]! / 32768
  return samples
}

/** Numbers from -1 to 1 as s16le; larger ones are clipped. */
export function pcmFrom(samples: Float64Array): Buffer {
  const pcm = new Int16Array(samples.length)
  for (let i = 0; i < pcm.length; i++) {
    pcm[i] = Math.max(-32768, Math.min(32767, Math.round(samples[i]! * 32767)))
  }
  return Buffer.from(pcm.buffer)
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
