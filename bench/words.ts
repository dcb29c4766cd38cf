import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { ratio } from 'fuzzball'
import { readAnswer } from '../src/dialogue/answer.ts'
import { createDirectoryIndex } from '../src/dialogue/directory-index.ts'
import { matchUnit, type WantedUnit } from '../src/dialogue/match.ts'
import { slotsByRules } from '../src/dialogue/slots.ts'
import { silentLog } from '../src/platform/log.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
import { openCache } from '../src/speech/cache.ts'
import { hasEspeak } from '../src/speech/espeak.ts'
import { createSynthesizer } from '../src/speech/synthesize.ts'
import { createTranscriber } from '../src/speech/transcribe.ts'
import answers from '../test/dialogue/answers.json' with { type: 'json' }
import { random } from '../test/rig/media-stream.ts'
import { thousandUnits } from '../test/rig/thousand-units.ts'
import { median, type Progress, type Result } from './result.ts'

interface Options {
  rounds: number
  progress: Progress
}

/** How often in a round. */
const RUNS = 15
const QUESTIONS: WantedUnit[] = [
  { unit: '501' },
  { unit: 'apartamento quinhentos e um' },
  { resident: 'dona Mariana Oliveira' },
  { resident: 'Vaneça Sousa Nascimento' },
  { resident: 'mariaoliveira' },
  { unit: '1099', resident: 'Felipe' },
  { resident: 'Kjhgf Qwert' },
]
const ANSWER = `pode entrar ${'sim '.repeat(2500)} não`
const SENTENCE = 'apartamento cento e vinte e um para a Maria '.repeat(250)
const SPOKEN = 'O morador do apartamento ao lado foi avisado. '.repeat(21)
/** 3 s of speech. */
const SOUND_BYTES = 48_000
const SOUNDS = 20
const FRAMES = 500
/** Of the words of a sentence: what a recogniser loses or takes for others without saying so. */
const DAMAGED = [0.1, 0.2, 0.3]
const SEED = 20_261_129

/** What calls do with words while frames wait: each may hold the loop for a moment only. */
export async function benchWords({ rounds, progress }: Options): Promise<Result[]> {
  const times = (work: () => unknown) => {
    work()
    return median(Array.from({ length: RUNS * rounds }, () => timed(work)))
  }
  const one = (
    bench: string,
    [measured, baseline]: [number, number],
    { against, unit = 'ms', ...goal }: { against: string; unit?: string; measured?: number; ratio?: number },
  ): Result => ({
    bench: `words, ${bench}`,
    facts: { rounds },
    measured,
    baseline,
    unit,
    against,
    ratio: measured / baseline,
    goal,
    more: {},
  })

  progress('words: a unit among 1,000')
  const units = thousandUnits()
  const index = createDirectoryIndex(units)
  const names = units.flatMap(({ residents }) => residents.map(({ name }) => name))
  const slowest = Math.max(...QUESTIONS.map((question) => times(() => matchUnit(index, question))))
  const scanned = times(() => names.map((name) => ratio('dona Mariana Oliveira', name)))

  progress('words: ten kilobytes')
  const split = times(() => ANSWER.toLowerCase().split(/\s+/))
  const results = [
    one('a unit among 1,000', [slowest, scanned], { against: 'each name compared', measured: 5 }),
    one('an answer of 10 kB', [times(() => readAnswer(ANSWER)), split], {
      against: 'split into words',
      measured: 200,
    }),
    one('what 10 kB ask for', [times(() => slotsByRules(SENTENCE)), split], {
      against: 'split into words',
      measured: 100,
    }),
  ]

  progress('words: damaged answers')
  results.push(...damaged('deleted', rounds), ...damaged('substituted', rounds))

  progress('words: sounds on disk')
  results.push(one('a sound from disk', await fromDisk(rounds), { against: 'a bare read', measured: 5 }))

  progress('words: frames for a recogniser')
  results.push(
    one('a frame for a recogniser', frames(rounds), { against: 'copied', unit: 'µs', measured: 100 }),
  )

  if (await hasEspeak()) {
    progress('words: espeak-ng')
    const stalls = one('longest stall while espeak-ng speaks', await stall(rounds), {
      against: 'all of it',
      ratio: 1 / 3,
    })
    results.push(stalls)
  }
  return results
}

/**
 * How many sentences that let nobody in are read as a yes when words are missing or others without any sign of it, which no
 * reader can see. Not gated: it says what a recogniser without unknown words and certainty costs.
 */
function damaged(how: 'deleted' | 'substituted', rounds: number): Result[] {
  const locales = ['pt-BR', 'en'] as const
  const next = random(SEED)
  return DAMAGED.map((share) => {
    let [sentences, yes, likely, plain, missed] = [0, 0, 0, 0, 0]
    for (let round = 0; round < rounds; round++) {
      for (const locale of locales) {
        const none = Object.values(answers.not_yes[locale]).flat()
        const vocabulary = none.flatMap((text) => text.split(' '))
        const damage = (text: string) =>
          text
            .split(' ')
            .flatMap((word) => {
              if (next() >= share) return [word]
              return how === 'deleted' ? [] : [vocabulary[Math.floor(next() * vocabulary.length)]!]
            })
            .join(' ')
        for (const text of none) {
          const { answer } = readAnswer(damage(text), locale)
          sentences++
          if (answer === 'yes') yes++
          if (answer === 'yes' || answer === 'likely-yes') likely++
        }
        for (const text of answers.yes.spoken[locale]) {
          plain++
          if (readAnswer(damage(text), locale).answer !== 'yes') missed++
        }
      }
    }
    const [measured, baseline] = [(100 * yes) / sentences, (100 * likely) / sentences]
    return {
      bench: `words, a wrong yes with ${100 * share} % of the words silently ${how}`,
      facts: { rounds, sentences: sentences / rounds },
      measured,
      baseline,
      unit: '%',
      against: 'hold a yes',
      ratio: measured / baseline,
      goal: {},
      more: { 'plain yes asked again, %': (100 * missed) / plain },
    }
  })
}

async function fromDisk(rounds: number): Promise<[number, number]> {
  const scratch = await createTempDir('porteiro-bench-')
  try {
    const [cached, bare]: [number[], number[]] = [[], []]
    const options = { directory: join(scratch.path, 'speech'), maxBytes: 10_000_000, log: silentLog() }
    const keys = Array.from({ length: SOUNDS }, (_, n) => n.toString(16).padStart(64, '0'))
    const written = await openCache(options)
    for (const key of keys) written.put(key, randomBytes(SOUND_BYTES))
    await written.close()
    for (let round = 0; round < rounds; round++) {
      const cache = await openCache(options)
      for (const key of keys) {
        cached.push(await timedAsync(() => cache.get(key)))
        bare.push(await timedAsync(() => readFile(join(options.directory, `${key}.pcm`))))
      }
      await cache.close()
    }
    return [median(cached), median(bare)]
  } finally {
    await scratch.remove()
  }
}

function frames(rounds: number): [number, number] {
  const transcriber = createTranscriber({
    provider: 'openai',
    model: 'a-model',
    openai: { url: 'http://127.0.0.1:9' },
    timeoutMs: 1000,
    concurrency: 1,
    log: silentLog(),
  })
  const frame = new Int16Array(160)
  const [taken, copied]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const leaving = new AbortController()
    const { push } = transcriber.open({ locale: 'en', signal: leaving.signal })
    const kept: Int16Array[] = []
    const each = (work: () => void) =>
      (timed(() => {
        for (let n = 0; n < FRAMES; n++) work()
      }) *
        1000) /
      FRAMES
    taken.push(each(() => push(frame)))
    copied.push(each(() => kept.push(frame.slice())))
    leaving.abort()
  }
  transcriber.close()
  return [median(taken), median(copied)]
}

/** The longest stall of the loop, and how long it took in all. */
async function stall(rounds: number): Promise<[number, number]> {
  const scratch = await createTempDir('porteiro-bench-')
  const synthesizer = await createSynthesizer({
    provider: 'espeak',
    cacheDir: scratch.path,
    cacheBytes: 0,
    timeoutMs: 60_000,
    concurrency: 1,
    log: silentLog(),
  })
  try {
    const [longest, all]: [number[], number[]] = [[], []]
    await synthesizer.synthesize('aquecido', { locale: 'pt-BR' })
    for (let round = 0; round < rounds; round++) {
      const delays = monitorEventLoopDelay({ resolution: 1 })
      delays.enable()
      all.push(await timedAsync(() => synthesizer.synthesize(`${round}. ${SPOKEN}`, { locale: 'pt-BR' })))
      // the last stall ends with the turn in which this goes on
      await new Promise((resolve) => setTimeout(resolve, 2))
      delays.disable()
      longest.push(delays.max / 1e6)
    }
    return [median(longest), median(all)]
  } finally {
    await synthesizer.close()
    await scratch.remove()
  }
}

function timed(work: () => unknown): number {
  const began = performance.now()
  work()
  return performance.now() - began
}

async function timedAsync(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}
