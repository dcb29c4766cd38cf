import { FRAME_MS, FRAME_SAMPLES } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import { delay } from '../platform/time.ts'
import type { Phone } from './phone.ts'
import type { Sounds } from './vocabulary.ts'

/** What came of a voice that crossed the bridge, as a listener would judge it: only what is loud in it counts. */
export interface VoiceHeard {
  /** Of the voice, 0 to 1. */
  readonly share: number
  /** ms of the voice that never came. */
  readonly lostMs: number
  /** ms from the mouth to the ear, half of it sooner and half later; undefined when nothing came. */
  readonly lagMs: number | undefined
  /** Mean likeness of what came, 0 to 1; 1 is the very sound. */
  readonly correlation: number
}

interface Ear {
  /** One message's audio that came at `at` ms. */
  frame(bytes: Buffer, start: number, end: number, at: number): void
  /** What of the voice is among what came, which was spoken from `spokenAt` ms on. */
  judge(spokenAt: number): VoiceHeard
}

/** Speech that is cut off half the time, ten times a second and more, is still understood (Miller and Licklider, 1950). */
const UNDERSTOOD = 0.5
/** People say again what was not understood. */
const TRIES = 5
/** ms after the last word in which the rest of it arrives: ten times what the bridge holds. */
const TAIL_MS = 600
/** Samples above this are speech, not the noise floor of a recording (-42 dBFS). */
const LOUD = 256
/** Normalised correlation from which on a frame is the one that was spoken; other speech seldom comes near. */
const ALIKE = 0.95
const UNCHANGED = 0.999
/** Where the stream was cut anew, three frames from each of so many spots say by how many samples. */
const ANCHOR_FRAMES = 3
const ANCHORS = 3

/**
 * Compares a voice with what is heard, frame by frame and in order: the longest run of its frames, however many others
 * are between, is what came. A frame that came twice counts once, and one that came late is there all the same.
 */
export function createEar(voice: Uint8Array): Ear {
  const spoken = samplesOf(voice)
  const chunks: Int16Array[] = []
  const arrivals: { from: number; at: number }[] = []
  let length = 0

  return {
    frame(bytes, start, end, at) {
      const samples = samplesOf(bytes.subarray(start, end))
      arrivals.push({ from: length, at })
      chunks.push(samples)
      length += samples.length
    },
    judge(spokenAt) {
      const heard = new Int16Array(length)
      for (const [index, { from }] of arrivals.entries()) heard.set(chunks[index]!, from)
      const places = follow(spoken, heard)
      const found = places.filter(({ place }) => place !== undefined)
      const lags = found.map(({ index, place }) => {
        const { from, at } = arrivals.findLast((arrival) => arrival.from <= place!)!
        const ahead = ((place! - from) * FRAME_MS) / FRAME_SAMPLES
        return at + ahead - (spokenAt + index * FRAME_MS)
      })
      return {
        share: places.length === 0 ? 0 : found.length / places.length,
        lostMs: (places.length - found.length) * FRAME_MS,
        lagMs: lags.length === 0 ? undefined : Math.round(lags.sort((a, b) => a - b)[lags.length >> 1]!),
        correlation: found.length === 0 ? 0 : sumOf(found) / found.length,
      }
    },
  }
}

interface SayAcross {
  from: Phone
  to: Phone
  /** Of the pack that both phones have. */
  prompt: string
  sounds: Sounds
}

/**
 * One says it and the other listens; again when less than half of it came, as people do. Rejects with VOICE_LOST when it
 * never does, and with PHONE_ENDED when one of both is gone.
 */
export async function sayAcross({ from, to, prompt, sounds }: SayAcross): Promise<VoiceHeard> {
  const voice = sounds.pcm(prompt)
  for (let tries = 1; ; tries++) {
    const ear = createEar(voice)
    const off = to.onAudio((bytes, start, end) => ear.frame(bytes, start, end, performance.now()))
    const askedAt = performance.now()
    await from.say({ prompt })
    // a speaker whose clock was held up makes it good by speaking ahead
    const spokenAt = Math.min(askedAt, performance.now() - (voice.length / 2 / FRAME_SAMPLES) * FRAME_MS)
    await Promise.race([delay(TAIL_MS, new AbortController().signal), from.ended, to.ended])
    // what had come by then lies in the kernel until the loop has polled once more
    await new Promise((resolve) => setImmediate(resolve))
    off()
    const heard = ear.judge(spokenAt)
    if (heard.share >= UNDERSTOOD) return heard
    const last = [from, to].map(({ transcript }) => transcript.at(-1)).find((it) => it?.type === 'ended')
    if (last?.type === 'ended')
      throw fail('PHONE_ENDED', { by: last.outcome.by, wanted: `the ${to.role} hears the ${from.role}` })
    const percent = Math.floor(100 * heard.share)
    if (tries === TRIES) throw fail('VOICE_LOST', { listener: to.role, speaker: from.role, percent, tries })
  }
}

interface Placed {
  /** Of the voice's frame. */
  index: number
  /** The sample of what was heard where it begins; undefined: lost. */
  place: number | undefined
  alike: number
}

/** Where each loud frame of `spoken` is in `heard`. */
function follow(spoken: Int16Array, heard: Int16Array): Placed[] {
  const loud: number[] = []
  for (let at = 0; at + FRAME_SAMPLES <= spoken.length; at += FRAME_SAMPLES)
    if (isLoud(spoken, at)) loud.push(at)
  const whole = align(spoken, loud, heard, 0)
  const found = whole.filter(({ place }) => place !== undefined)
  // what our own bridge hands on is the very frame
  if (found.length >= loud.length / 2 && sumOf(found) > UNCHANGED * found.length) return whole
  const cut = align(spoken, loud, heard, shiftOf(spoken, loud, heard))
  return sumOf(cut) > sumOf(whole) ? cut : whole
}

function sumOf(placed: readonly Placed[]): number {
  return placed.reduce((sum, { alike }) => sum + alike, 0)
}

/** The longest common run of frames, of what is heard from `shift` samples on. */
function align(spoken: Int16Array, loud: readonly number[], heard: Int16Array, shift: number): Placed[] {
  const columns = Math.max(0, Math.floor((heard.length - shift) / FRAME_SAMPLES))
  const width = columns + 1
  const alike = new Float32Array(loud.length * columns)
  const best = new Float32Array((loud.length + 1) * width)
  for (const [row, at] of loud.entries()) {
    for (let column = 0; column < columns; column++) {
      const found = likeness(spoken, at, heard, shift + column * FRAME_SAMPLES, FRAME_SAMPLES, 1)
      alike[row * columns + column] = found
      best[(row + 1) * width + column + 1] = Math.max(
        best[row * width + column + 1]!,
        best[(row + 1) * width + column]!,
        found < ALIKE ? 0 : best[row * width + column]! + found,
      )
    }
  }
  const placed: Placed[] = []
  let column = columns
  for (let row = loud.length; row > 0; row--) {
    const index = loud[row - 1]! / FRAME_SAMPLES
    while (column > 0 && best[row * width + column] === best[row * width + column - 1]) column--
    if (column === 0 || best[row * width + column] === best[(row - 1) * width + column]) {
      placed.push({ index, place: undefined, alike: 0 })
      continue
    }
    column--
    placed.push({ index, place: shift + column * FRAME_SAMPLES, alike: alike[(row - 1) * columns + column]! })
  }
  return placed.reverse()
}

/** By how many samples frames are cut later than they were spoken: the best of a few spots. */
function shiftOf(spoken: Int16Array, loud: readonly number[], heard: Int16Array): number {
  const size = ANCHOR_FRAMES * FRAME_SAMPLES
  let best = { place: 0, alike: 0 }
  for (let spot = 0; spot < ANCHORS; spot++) {
    const at = loud[Math.floor((spot * loud.length) / ANCHORS)]
    if (at === undefined || at + size > spoken.length) continue
    for (let place = 0; place + size <= heard.length; place++) {
      // every second sample of it says as much
      const alike = likeness(spoken, at, heard, place, size, 2)
      if (alike > best.alike) best = { place, alike }
    }
  }
  return best.place % FRAME_SAMPLES
}

/** Normalised correlation, 0 where either is silent or outside. */
function likeness(
  spoken: Int16Array,
  at: number,
  heard: Int16Array,
  place: number,
  size: number,
  step: number,
): number {
  if (place < 0 || place + size > heard.length) return 0
  let both = 0
  let one = 0
  let other = 0
  for (let offset = 0; offset < size; offset += step) {
    const a = spoken[at + offset]!
    const b = heard[place + offset]!
    both += a * b
    one += a * a
    other += b * b
  }
  return one === 0 || other === 0 ? 0 : Math.max(0, both / Math.sqrt(one * other))
}

function isLoud(samples: Int16Array, at: number): boolean {
  for (let offset = at; offset < at + FRAME_SAMPLES; offset++)
    if (Math.abs(samples[offset]!) >= LOUD) return true
  return false
}

/** A copy: what arrives lies at odd places, in memory that is used again. */
function samplesOf(pcm: Uint8Array): Int16Array {
  const samples = new Int16Array(pcm.length >> 1)
  new Uint8Array(samples.buffer).set(pcm.subarray(0, samples.length * 2))
  return samples
}
