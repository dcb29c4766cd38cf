import { FRAME_MS, FRAME_SAMPLES } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import { delay } from '../platform/time.ts'
import type { Phone } from './phone.ts'
import type { Sounds } from './vocabulary.ts'

/** How much of a voice crossed the bridge, as a listener would judge it: only loud parts count. */
export interface VoiceHeard {
  /** Received share of the voice, 0 to 1. */
  readonly share: number
  /** Lost part of the voice in ms. */
  readonly lostMs: number
  /** Median delay from mouth to ear in ms; undefined if nothing arrived. */
  readonly lagMs: number | undefined
  /** Mean correlation of the received part, 0 to 1; 1 is the identical sound. */
  readonly correlation: number
}

interface Ear {
  /** The audio of one message that arrived at `at` ms. */
  frame(bytes: Buffer, start: number, end: number, at: number): void
  /** Judges the received part of a voice that was spoken from `spokenAt` ms on. */
  judge(spokenAt: number): VoiceHeard
}

/**
 * Speech that is interrupted half the time, ten times a second or more, is still understood (Miller and Licklider,
 * 1950).
 */
const UNDERSTOOD = 0.5
/** People repeat what was not understood. */
const TRIES = 5
/** Time in ms for the rest to arrive after the last word: ten times the bridge's buffer. */
const TAIL_MS = 600
/** Samples above this are speech, not the noise floor of a recording (-42 dBFS). */
const LOUD = 256
/** Normalised correlation from which a frame counts as the spoken one; other speech is rarely close. */
const ALIKE = 0.95
const UNCHANGED = 0.999
/** If the stream was reframed, three frames at each of several spots show the offset in samples. */
const ANCHOR_FRAMES = 3
const ANCHORS = 3

/**
 * Compares a voice with the received sound, frame by frame and in order: the longest common subsequence of frames
 * counts as received. A duplicate frame counts once, and a late frame counts too.
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
  /** Id of a prompt of the pack that both phones have. */
  prompt: string
  sounds: Sounds
}

/**
 * One phone speaks and the other listens; it repeats if less than half arrived, as people do. Rejects with VOICE_LOST if it
 * never arrives, and with PHONE_ENDED if one call has ended.
 */
export async function sayAcross({ from, to, prompt, sounds }: SayAcross): Promise<VoiceHeard> {
  const voice = sounds.pcm(prompt)
  for (let tries = 1; ; tries++) {
    const ear = createEar(voice)
    const off = to.onAudio((bytes, start, end) => ear.frame(bytes, start, end, performance.now()))
    const askedAt = performance.now()
    await from.say({ prompt })
    // a speaker with a stalled clock catches up by sending ahead
    const spokenAt = Math.min(askedAt, performance.now() - (voice.length / 2 / FRAME_SAMPLES) * FRAME_MS)
    await Promise.race([delay(TAIL_MS, new AbortController().signal), from.ended, to.ended])
    // received data stays in the kernel until the loop polls once more
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
  /** Index of the voice's frame. */
  index: number
  /** Position of the frame in the received sound, in samples; undefined: lost. */
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
  // our own bridge passes identical frames on
  if (found.length >= loud.length / 2 && sumOf(found) > UNCHANGED * found.length) return whole
  const cut = align(spoken, loud, heard, shiftOf(spoken, loud, heard))
  return sumOf(cut) > sumOf(whole) ? cut : whole
}

function sumOf(placed: readonly Placed[]): number {
  return placed.reduce((sum, { alike }) => sum + alike, 0)
}

/** The longest common subsequence of frames, with the received sound starting at `shift` samples. */
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

/** The offset of received frames in samples: the best of a few spots. */
function shiftOf(spoken: Int16Array, loud: readonly number[], heard: Int16Array): number {
  const size = ANCHOR_FRAMES * FRAME_SAMPLES
  let best = { place: 0, alike: 0 }
  for (let spot = 0; spot < ANCHORS; spot++) {
    const at = loud[Math.floor((spot * loud.length) / ANCHORS)]
    if (at === undefined || at + size > spoken.length) continue
    for (let place = 0; place + size <= heard.length; place++) {
      // every second sample is enough
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

/** A copy: received data may be at odd offsets, in reused memory. */
function samplesOf(pcm: Uint8Array): Int16Array {
  const samples = new Int16Array(pcm.length >> 1)
  new Uint8Array(samples.buffer).set(pcm.subarray(0, samples.length * 2))
  return samples
}
