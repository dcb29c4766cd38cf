import { setImmediate as nextTurn } from 'node:timers/promises'
import { SAMPLE_RATE } from '../platform/audio.ts'

/** The level of every prompt: speech of -18 dBFS RMS leaves room for its peaks below the ceiling. */
const TARGET_RMS = 10 ** (-18 / 20)
const CEILING = 10 ** (-3.2 / 20)
/** Below this share of the peak sound is inaudible over a telephone. */
const SILENCE = 0.01
/** A peak below this is not speech: -70 dBFS. */
const NO_SOUND = 10 ** (-70 / 20)
const MARGIN = (SAMPLE_RATE * 60) / 1000
const FADE = (SAMPLE_RATE * 5) / 1000

/**
 * Speech at 8 kHz, brought to the prompts' level, with 60 ms around it and 5 ms of fading at both ends. Empty when there
 * is no sound in it. Yields to the event loop between its passes, because calls are paced on this thread.
 */
export async function level(samples: Float64Array): Promise<Float64Array> {
  const peak = peakOf(samples)
  if (peak < NO_SOUND) return new Float64Array(0)
  const speech = trim(samples, peak * SILENCE)
  await nextTurn()
  const gain = TARGET_RMS / activeRms(speech)
  for (let i = 0; i < speech.length; i++) speech[i]! *= gain
  await nextTurn()
  const loud = await limit(speech)
  const last = loud.length - 1
  for (let i = 0; i <= last; i++) loud[i]! *= Math.min(1, i / FADE, (last - i) / FADE)
  return loud
}

function trim(samples: Float64Array, floor: number): Float64Array {
  const first = samples.findIndex((sample) => Math.abs(sample) > floor)
  const last = samples.findLastIndex((sample) => Math.abs(sample) > floor)
  const trimmed = new Float64Array(last - first + 1 + 2 * MARGIN)
  // the margins contain the sound's own beginning and decay, if any
  const from = Math.max(0, first - MARGIN)
  trimmed.set(samples.subarray(from, Math.min(samples.length, last + 1 + MARGIN)), MARGIN - (first - from))
  return trimmed
}

/** RMS of the 20 ms stretches that are speech: pauses between words must not make it louder. */
function activeRms(samples: Float64Array): number {
  const stretch = SAMPLE_RATE / 50
  const powers: number[] = []
  for (let at = 0; at < samples.length; at += stretch) {
    const end = Math.min(samples.length, at + stretch)
    let sum = 0
    for (let i = at; i < end; i++) sum += samples[i]! * samples[i]!
    powers.push(sum / (end - at))
  }
  const floor = powers.reduce((most, power) => Math.max(most, power), 0) / 1000
  const active = powers.filter((power) => power > floor)
  return Math.sqrt(active.reduce((sum, power) => sum + power, 0) / active.length)
}

/** Reduces peaks above the ceiling smoothly, from 5 ms before to 5 ms after, so that nothing clips. */
async function limit(samples: Float64Array): Promise<Float64Array> {
  const gains = new Float64Array(samples.length)
  // few samples are near a peak; all others keep their gain of 1 without a search
  const near = new Uint8Array(samples.length)
  for (let i = 0; i < samples.length; i++) {
    gains[i] = Math.min(1, CEILING / Math.max(Math.abs(samples[i]!), 1e-9))
    if (gains[i]! < 1) near.fill(1, Math.max(0, i - 2 * FADE), i + 2 * FADE + 1)
  }
  await nextTurn()
  const lowest = new Float64Array(samples.length)
  for (let i = 0; i < samples.length; i++) lowest[i] = near[i] ? lowestAround(gains, i) : 1
  await nextTurn()
  const limited = new Float64Array(samples.length)
  for (let i = 0; i < samples.length; i++) {
    limited[i] = near[i] ? samples[i]! * meanAround(lowest, i) : samples[i]!
  }
  return limited
}

function lowestAround(values: Float64Array, i: number): number {
  const end = Math.min(values.length, i + FADE + 1)
  let lowest = 1
  for (let at = Math.max(0, i - FADE); at < end; at++) if (values[at]! < lowest) lowest = values[at]!
  return lowest
}

function meanAround(values: Float64Array, i: number): number {
  const start = Math.max(0, i - FADE)
  const end = Math.min(values.length, i + FADE + 1)
  let sum = 0
  for (let at = start; at < end; at++) sum += values[at]!
  return sum / (end - start)
}

function peakOf(samples: Float64Array): number {
  let peak = 0
  for (let i = 0; i < samples.length; i++) peak = Math.max(peak, Math.abs(samples[i]!))
  return peak
}
