import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createEar } from '../../src/media/ear.ts'
import { dbfs } from '../../src/media/level.ts'
import { readWav } from '../../src/media/wav.ts'
import { listenTo } from '../../src/mediaport/utterance-recorder.ts'
import { FRAME_BYTES, SAMPLE_RATE } from '../../src/platform/audio.ts'
import type { Transcriber } from '../../src/speech/transcribe.ts'
import { capture, energyBounds, engine, random, silence, soundOf } from './media-stream.ts'

const PROMPTS = join(import.meta.dirname, '..', '..', 'prompts')
const LOCALES = ['pt-BR', 'en'] as const
/** Speakers of their own, and prompts that are younger than the measurements: the noise must stay the same (ADR 24). */
const NO_BABBLE = /^(sample-|ask-block|call-for-unit|mailbox-message|press-any-key|press-or-say-hello)/
const SAMPLES = ['sample-visitor-name', 'sample-visitor-purpose', 'sample-resident-talk']
const CAPTURES = ['visitor-app', 'resident-app']
/** So many at once are a murmur in which no word can be told. */
const TALKERS = 8
const BYTES_MS = 16

/** s16le speech without what is before and after it: its first and last 10 ms are within 40 dB of the loudest. */
export interface Spoken {
  name: string
  pcm: Buffer
}

/** What people say in the prompt packs and in the recorded connections. */
export async function utterances(): Promise<Spoken[]> {
  const samples = LOCALES.flatMap((locale) =>
    SAMPLES.map(async (id) => ({
      name: `${locale} ${id}`,
      pcm: await readWav(join(PROMPTS, locale, `${id}.wav`)),
    })),
  )
  const captures = CAPTURES.map((name) => ({ name, pcm: soundOf(capture(name)) }))
  return [...(await Promise.all(samples)), ...captures].map(({ name, pcm }) => {
    const [from, to] = energyBounds(pcm)
    return { name, pcm: pcm.subarray(from * BYTES_MS, to * BYTES_MS) }
  })
}

/** Utterances in two parts: each with the next one, as long as both and a pause are no longer than an utterance may be. */
export function pairsOf(spoken: readonly Spoken[]): Spoken[][] {
  return spoken
    .map((one, index) => [one, spoken[(index + 1) % spoken.length]!])
    .filter((parts) => parts.reduce((sum, { pcm }) => sum + pcm.length / BYTES_MS, 0) < LONGEST_MS - 2000)
}

/** Noise of so many ms at a level in dBFS (RMS). */
export type Noise = (ms: number, level: number, seed: number) => Buffer

export const white: Noise = (ms, level, seed) => {
  const next = random(seed)
  return atLevel(
    Float64Array.from({ length: ms * 8 }, () => next() - 0.5),
    level,
  )
}

/** A room full of people: the prompts of both languages, eight at a time. */
export async function loadBabble(): Promise<Noise> {
  const voices = await Promise.all(
    LOCALES.map(async (locale) => {
      const directory = join(PROMPTS, locale)
      const files = (await readdir(directory)).filter((file) => !NO_BABBLE.test(file)).sort()
      return Buffer.concat(await Promise.all(files.map((file) => readWav(join(directory, file)))))
    }),
  )
  return (ms, level, seed) => {
    const next = random(seed)
    const sum = new Float64Array(ms * 8)
    for (let talker = 0; talker < TALKERS; talker++) {
      const voice = voices[talker % voices.length]!
      const samples = voice.length >> 1
      const from = Math.floor(next() * samples)
      for (let i = 0; i < sum.length; i++) sum[i]! += voice.readInt16LE(((from + i) % samples) * 2)
    }
    return atLevel(sum, level)
  }
}

function atLevel(samples: Float64Array, level: number): Buffer {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
  const gain = (10 ** (level / 20) * 32768) / Math.sqrt(power)
  return fromSamples(samples.length, (i) => samples[i]! * gain)
}

/** dBFS of the 20 ms stretches that are within 20 dB of the loudest: pauses do not make speech softer. */
export function speechLevel(pcm: Buffer): number {
  const powers: number[] = []
  for (let at = 0; at + FRAME_BYTES <= pcm.length; at += FRAME_BYTES) {
    let sum = 0
    for (let i = 0; i < FRAME_BYTES; i += 2) sum += pcm.readInt16LE(at + i) ** 2
    powers.push(sum / (FRAME_BYTES / 2))
  }
  const loud = powers.filter((power) => power > Math.max(...powers) / 100)
  return dbfs(loud.reduce((sum, power) => sum + power, 0) / loud.length)
}

/** Both at once; as long as the first. */
export function mix(one: Buffer, other: Buffer): Buffer {
  return fromSamples(one.length >> 1, (i) => one.readInt16LE(i * 2) + other.readInt16LE(i * 2))
}

function fromSamples(length: number, sample: (index: number) => number): Buffer {
  const pcm = Buffer.alloc(length * 2)
  for (let i = 0; i < length; i++) {
    pcm.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(sample(i)))), i * 2)
  }
  return pcm
}

/** How it sounds on the line. Levels in dBFS. */
export interface Line {
  /** Of the speech. */
  level: number
  /** null: silence around it. */
  noise: Noise | null
  /** dB of the speech above the noise. */
  snr: number
  seed: number
}

/** ms of the line before somebody speaks. */
const LEAD_MS = 2000
/** Listening begins before the speech, and the ear has heard the line before that. */
const LISTEN_AT_MS = LEAD_MS / 2
/** As in src/calls/speech-effects.ts: the longest utterance. */
const LONGEST_MS = 10_000
/** Longer than any utterance may still go on. */
const TAIL_MS = 9000

/** Parts of one utterance with a pause of so many ms between them, on a line that goes on before and after it. */
export function onTheLine(parts: readonly Spoken[], pauseMs: number, { level, noise, snr, seed }: Line) {
  const said = Buffer.concat(
    parts.flatMap(({ pcm }, index) => {
      const loud = amplified(pcm, level - speechLevel(pcm))
      return index === 0 ? [loud] : [silence(pauseMs), loud]
    }),
  )
  const whole = Buffer.concat([silence(LEAD_MS), said, silence(TAIL_MS)])
  const frames = whole.subarray(0, whole.length - (whole.length % FRAME_BYTES))
  const sound = noise ? mix(frames, noise(frames.length / BYTES_MS, level - snr, seed)) : frames
  return { sound, startMs: LEAD_MS, endMs: LEAD_MS + said.length / BYTES_MS }
}

function amplified(pcm: Buffer, decibel: number): Buffer {
  const gain = 10 ** (decibel / 20)
  return fromSamples(pcm.length >> 1, (i) => pcm.readInt16LE(i * 2) * gain)
}

/**
 * What a leg that listens makes of this sound: whether somebody spoke, and the ms at which their utterance was taken for
 * ended. Every frame of 20 ms takes the way it takes in a call.
 */
export async function listenOnce(sound: Buffer, silenceMs: number) {
  const stop = new AbortController()
  const ear = createEar({ vad: engine, onFact: () => {} })
  let heard = false
  let endedAt: number | undefined
  let listening: Promise<unknown> | undefined
  const transcriber = {
    open() {
      heard = true
      return { push: () => {}, finish: async () => ({ text: '', complete: true }) }
    },
  } as unknown as Transcriber
  for (let at = 0; at + FRAME_BYTES <= sound.length && endedAt === undefined; at += FRAME_BYTES) {
    ear.audio(sound, at, at + FRAME_BYTES, SAMPLE_RATE)
    if (ear.clock === LISTEN_AT_MS) {
      const options = { locale: 'pt-BR', silenceMs, maxMs: LONGEST_MS, signal: stop.signal } as const
      listening = listenTo(ear, transcriber, options).then(() => {
        if (!stop.signal.aborted) endedAt = ear.clock
      })
    }
    if (listening) await nextTurn()
  }
  stop.abort()
  await listening
  ear.close()
  return { heard, endedAt }
}
