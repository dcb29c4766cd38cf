import { powerAt } from '../src/media/level.ts'
import { ONSET_FRAMES } from '../src/media/vad.ts'
import { FRAME_BYTES } from '../src/platform/audio.ts'
import {
  listenOnce,
  loadBabble,
  type Noise,
  onTheLine,
  pairsOf,
  type Spoken,
  utterances,
  white,
} from '../test/rig/noisy-speech.ts'
import { median, type Progress, type Result } from './result.ts'

/** ms of silence that ends an utterance, as in src/calls/speech-effects.ts. */
const RULES = { visitor: 1500, resident: 600 } as const
/** An utterance is to end so many ms from its rule at most. */
const TOLERANCE_MS = 200
/** dBFS of the prompts, and of a usual telephone. */
const LEVELS = [-18, -30]
const PAUSES_MS = [400, 500, 600, 700, 800, 900, 1000, 1100, 1200]
const NOISE_LEVELS = [-60, -55, -50, -45, -40, -35, -30, -25, -20]
const NOISE_MS = 12_000
/** What the baseline of noise alone takes for sound. */
const GATE = powerAt(-55)

interface Scene {
  name: string
  noise: Noise | null
  snr: number
}

interface Options {
  /** Each with a noise of its own. */
  rounds: number
  progress: Progress
}

/** Where utterances end, in real speech with noise mixed in, frame by frame through the ear and what listens to it. */
export async function benchEndpointing({ rounds, progress }: Options): Promise<Result[]> {
  const babble = await loadBabble()
  const spoken = await utterances()
  const scenes: Scene[] = [
    { name: 'quiet', noise: null, snr: 0 },
    { name: 'white 20 dB', noise: white, snr: 20 },
    { name: 'white 10 dB', noise: white, snr: 10 },
    { name: 'babble 30 dB', noise: babble, snr: 30 },
    { name: 'babble 20 dB', noise: babble, snr: 20 },
  ]
  const results: Result[] = []
  for (const scene of scenes) {
    for (const role of ['visitor', 'resident'] as const) {
      progress(`endpointing: ${scene.name}, ${role}`)
      results.push(await ends(spoken, scene, role, rounds))
    }
  }
  for (const scene of scenes) {
    progress(`endpointing: pauses, ${scene.name}`)
    results.push(await pauses(spoken, scene, rounds))
  }
  for (const [name, noise] of Object.entries({ white, babble })) {
    progress(`endpointing: ${name} noise alone`)
    results.push(await noiseAlone(name, noise, rounds))
  }
  return results
}

/** How long after its true end an utterance ends. */
async function ends(
  spoken: readonly Spoken[],
  { name, noise, snr }: Scene,
  role: keyof typeof RULES,
  rounds: number,
): Promise<Result> {
  const rule = RULES[role]
  const delays: number[] = []
  const more: Record<string, number> = {}
  let early = 0
  let unheard = 0
  for (const level of LEVELS) {
    let punctual = 0
    for (const one of spoken) {
      for (let seed = 1; seed <= rounds; seed++) {
        const { sound, endMs } = onTheLine([one], 0, { level, noise, snr, seed })
        const { endedAt } = await listenOnce(sound, rule)
        if (endedAt === undefined) unheard++
        else if (endedAt < endMs) early++
        else delays.push(endedAt - endMs)
        if (endedAt !== undefined && Math.abs(endedAt - endMs - rule) <= TOLERANCE_MS) punctual++
      }
    }
    more[`% within ${TOLERANCE_MS} ms at ${level} dBFS`] = percent(punctual, spoken.length * rounds)
  }
  const count = LEVELS.length * spoken.length * rounds
  const late = delays.toSorted((a, b) => a - b)
  const p95 = late[Math.ceil(0.95 * late.length) - 1] ?? Number.POSITIVE_INFINITY
  return {
    bench: `endpointing, ${role}, ${name}`,
    facts: { utterances: count },
    measured: p95,
    baseline: rule,
    unit: 'ms after the speech, p95',
    against: 'the silence that ends it',
    ratio: p95 / rule,
    goal: { measured: rule + TOLERANCE_MS },
    more: {
      'median ms': median(late),
      ...more,
      '% cut or begun by noise': percent(early, count),
      '% not heard': percent(unheard, count),
    },
  }
}

/** How often somebody who pauses is taken to have ended. */
async function pauses(
  spoken: readonly Spoken[],
  { name, noise, snr }: Scene,
  rounds: number,
): Promise<Result> {
  const more: Record<string, number> = {}
  const total = { visitor: 0, resident: 0 }
  const pairs = pairsOf(spoken)
  for (const pauseMs of PAUSES_MS) {
    for (const role of ['visitor', 'resident'] as const) {
      let cut = 0
      for (const parts of pairs) {
        for (let seed = 1; seed <= rounds; seed++) {
          const { sound, endMs } = onTheLine(parts, pauseMs, { level: LEVELS.at(-1)!, noise, snr, seed })
          const { endedAt } = await listenOnce(sound, RULES[role])
          if (endedAt !== undefined && endedAt < endMs) cut++
        }
      }
      total[role] += cut
      more[`% at ${pauseMs} ms, ${role}`] = percent(cut, pairs.length * rounds)
    }
  }
  const count = PAUSES_MS.length * pairs.length * rounds
  const measured = percent(total.visitor, count)
  const baseline = percent(total.resident, count)
  return {
    bench: `endpointing, pauses, ${name}`,
    facts: { utterances: count },
    measured,
    baseline,
    unit: `% cut after ${RULES.visitor} ms`,
    against: `% after ${RULES.resident} ms`,
    ratio: measured === 0 ? 0 : measured / baseline,
    goal: { measured: 0 },
    more,
  }
}

/** How often a line on which nobody speaks is taken for speech, over ten seconds of listening. */
async function noiseAlone(name: string, noise: Noise, rounds: number): Promise<Result> {
  const more: Record<string, number> = {}
  let heard = 0
  let gated = 0
  for (const level of NOISE_LEVELS) {
    let here = 0
    for (let seed = 1; seed <= rounds; seed++) {
      const sound = noise(NOISE_MS, level, seed)
      if ((await listenOnce(sound, RULES.resident)).heard) here++
      if (passesGate(sound)) gated++
    }
    heard += here
    more[`% at ${level} dBFS`] = percent(here, rounds)
  }
  const count = NOISE_LEVELS.length * rounds
  const [measured, baseline] = [percent(heard, count), percent(gated, count)]
  return {
    bench: `endpointing, noise alone, ${name}`,
    facts: { listens: count },
    measured,
    baseline,
    unit: '% of listens heard speech',
    against: 'a gate at -55 dBFS',
    ratio: baseline === 0 ? 0 : measured / baseline,
    goal: { ratio: 1 },
    more,
  }
}

function passesGate(sound: Buffer): boolean {
  let run = 0
  for (let at = 0; at + FRAME_BYTES <= sound.length && run < ONSET_FRAMES; at += FRAME_BYTES) {
    let sum = 0
    for (let i = 0; i < FRAME_BYTES; i += 2) sum += sound.readInt16LE(at + i) ** 2
    run = sum / (FRAME_BYTES / 2) > GATE ? run + 1 : 0
  }
  return run >= ONSET_FRAMES
}

function percent(part: number, whole: number): number {
  return (100 * part) / whole
}
