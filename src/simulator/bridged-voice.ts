import { FRAME_MS, FRAME_SAMPLES } from '../platform/audio.ts'
import { fail } from '../platform/errors.ts'
import { passed } from '../platform/time.ts'
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
const TRIES = 3
/** ms after the last word in which the rest of it arrives: ten times what the bridge holds. */
const TAIL_MS = 600
/** Samples above this are speech, not the noise floor of a recording (-42 dBFS). */
const LOUD = 256
/** A frame where it is expected, or a whole number of frames beside: nothing else is so like it by chance. */
const ALIKE = 0.9
const ALIKE_SLIPPED = 0.98
/** A bridge drops and fills whole frames; so many at once are looked through, either way. */
const SLIPS = 15
/** Anywhere else three frames together must fit. That is slow: of a long run of misses only each fifth is looked for. */
const ANCHOR_FRAMES = 3
const ANCHOR_EVERY = 5
const ANCHOR_AT_ONCE = 8
/** How far behind the last place they are looked for: 2 s. */
const ANCHOR_SAMPLES = 16_000

/**
 * Follows a voice through what is heard, frame by frame: where one is missing, was repeated or came behind a silence the
 * place moves, and what is found nowhere is lost. Never goes back, so that nothing is heard twice.
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
      const likeness = found.reduce((sum, { alike }) => sum + alike, 0)
      return {
        share: places.length === 0 ? 0 : found.length / places.length,
        lostMs: (places.length - found.length) * FRAME_MS,
        lagMs: lags.length === 0 ? undefined : Math.round(lags.sort((a, b) => a - b)[lags.length >> 1]!),
        correlation: found.length === 0 ? 0 : likeness / found.length,
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
    await Promise.race([passed(TAIL_MS, new AbortController().signal), from.ended, to.ended])
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
  const places: Placed[] = []
  /** Where the next frame ought to be, and before what nothing is looked for. */
  let expected = 0
  let free = 0
  let missed = 0
  for (let index = 0; (index + 1) * FRAME_SAMPLES <= spoken.length; index++) {
    const at = index * FRAME_SAMPLES
    if (!isLoud(spoken, at)) {
      expected += FRAME_SAMPLES
      continue
    }
    const searches = missed < ANCHOR_AT_ONCE || missed % ANCHOR_EVERY === 0
    const found =
      nearby(spoken, at, heard, expected, free) ?? (searches ? anchor(spoken, at, heard, free) : undefined)
    places.push({ index, place: found?.place, alike: found?.alike ?? 0 })
    expected = (found?.place ?? expected) + FRAME_SAMPLES
    if (found) free = expected
    missed = found ? 0 : missed + 1
  }
  return places
}

interface Found {
  place: number
  alike: number
}

function nearby(
  spoken: Int16Array,
  at: number,
  heard: Int16Array,
  expected: number,
  free: number,
): Found | undefined {
  const fits = (place: number, least: number): Found | undefined => {
    if (place < free) return undefined
    const alike = likeness(spoken, at, heard, place, FRAME_SAMPLES, 1)
    return alike >= least ? { place, alike } : undefined
  }
  const here = fits(expected, ALIKE)
  if (here) return here
  for (let slip = 1; slip <= SLIPS; slip++) {
    const slipped =
      fits(expected - slip * FRAME_SAMPLES, ALIKE_SLIPPED) ??
      fits(expected + slip * FRAME_SAMPLES, ALIKE_SLIPPED)
    if (slipped) return slipped
  }
  return undefined
}

/** The best place of the next three frames together, every second sample first and then around the best. */
function anchor(spoken: Int16Array, at: number, heard: Int16Array, free: number): Found | undefined {
  const size = Math.min(ANCHOR_FRAMES * FRAME_SAMPLES, spoken.length - at)
  const last = Math.min(free + ANCHOR_SAMPLES, heard.length - size)
  let best: Found = { place: -1, alike: 0 }
  for (let place = free; place <= last; place += 2) {
    const alike = likeness(spoken, at, heard, place, size, 2)
    if (alike > best.alike) best = { place, alike }
  }
  if (best.place < 0) return undefined
  for (const place of [best.place - 1, best.place, best.place + 1]) {
    const alike = likeness(spoken, at, heard, place, size, 1)
    if (alike > best.alike) best = { place, alike }
  }
  return best.alike >= ALIKE ? best : undefined
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
