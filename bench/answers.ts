import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readAnswer } from '../src/dialogue/answer.ts'
import { readGreeting } from '../src/dialogue/greeting.ts'
import { createTempDir } from '../src/platform/temp-dir.ts'
import { readChunks } from '../src/platform/wav.ts'
import { type Heard, hearAnswer } from '../test/rig/answered-line.ts'
import { energyBounds, random, silence, synth } from '../test/rig/media-stream.ts'
import first from './answers.json' with { type: 'json' }
import second from './answers-2.json' with { type: 'json' }
import { type Progress, percentile, type Result } from './result.ts'

const run = promisify(execFile)

type Locale = 'pt-BR' | 'en'
type Kind = 'machine' | 'person'

/** An answered line: who it is, in words and in sound. */
interface Answered {
  kind: Kind
  locale: Locale
  text: string
  /** s16le, 8 kHz, from the answer on. */
  pcm: Buffer
  /** ms from the answer to the end of the first words. */
  endMs: number
}

/** Each text is spoken so often, by another voice each time. */
const TAKES = 2
/** A mailbox has to be released within this time, ms. */
const RELEASE_MS = 8000
const LIVE_MS = 600
/** How long a line is listened to, ms. */
const LISTEN_MS = 12_000
const FRAME_MS = 20
const BEEPS_HZ = [440, 620, 800, 1000, 1400]

/** Texts and how they sound. */
interface AnswerSet {
  texts: Record<Kind, Record<Locale, string[]>>
  seed: number
  /** espeak-ng's words a minute, pitch, and variants of its voice. */
  speeds: number[]
  pitches: number[]
  variants: string[]
  voices: Record<Locale, string[]>
  /** sox's amplitude of the noise of a line. */
  noises: number[]
  /** Levels in dB of somebody who talks on in the room, as a television does, below the one who answers; 0: silence. */
  rooms: number[]
  /** sox's reverberance in percent: a speakerphone; 0: none. */
  echoes: number[]
}

const SETS: Record<string, AnswerSet> = {
  first: {
    texts: first,
    seed: 20_261_130,
    speeds: [140, 160, 175, 190],
    pitches: [30, 45, 60, 75],
    variants: ['', '+m3', '+f2', '+f4', '+m7'],
    voices: { 'pt-BR': ['pt-br'], en: ['en-us'] },
    noises: [0, 0.0005, 0.002, 0.005],
    rooms: [0],
    echoes: [0],
  },
  second: {
    texts: second,
    seed: 7_101,
    speeds: [105, 130, 150, 180, 215],
    pitches: [20, 40, 55, 70, 90],
    variants: ['+m1', '+m5', '+f1', '+f3', '+f5', '+croak', '+klatt2', '+antonio', '+linda'],
    voices: { 'pt-BR': ['pt-br', 'pt'], en: ['en-us', 'en-gb', 'en-gb-scotland'] },
    noises: [0, 0.001, 0.004, 0.008],
    rooms: [0, 0, 22, 28],
    echoes: [0, 0, 0, 40],
  },
}
const PLAYS_BEEP = /sinal|bipe|recado|mensagem|tone|beep|message/i

/** Renders the labelled set: espeak-ng speaks, sox adds noise and the telephone's G.711. */
async function renderAnswers(
  directory: string,
  set: AnswerSet,
  progress: Progress = () => {},
): Promise<Answered[]> {
  const { texts } = set
  const next = random(set.seed)
  const pick = <One>(list: readonly One[]): One => list[Math.floor(next() * list.length)]!
  /** A list of one leaves the chances of the rest as they are. */
  const one = <One>(list: readonly One[]): One => (list.length === 1 ? list[0]! : pick(list))
  const between = (from: number, to: number) =>
    Math.round((from + next() * (to - from)) / FRAME_MS) * FRAME_MS
  let shown: Buffer | undefined
  const television = async () => {
    if (shown) return shown
    const file = join(directory, 'television.wav')
    const text = set.texts.machine['pt-BR'].join(' ')
    await run('espeak-ng', ['-v', 'pt-br+m2', '-s', '170', '-w', file, text])
    const line = join(directory, 'television-8.wav')
    await run('sox', [
      file,
      '-r',
      '8000',
      '-c',
      '1',
      line,
      'reverb',
      '50',
      'highpass',
      '300',
      'lowpass',
      '3400',
    ])
    shown = await soundOf(line)
    return shown
  }
  const rendered: Answered[] = []
  for (const kind of ['machine', 'person'] as const) {
    for (const locale of ['pt-BR', 'en'] as const) {
      for (const text of texts[kind][locale].flatMap((text) => Array<string>(TAKES).fill(text))) {
        progress(`answers: ${rendered.length} rendered`)
        const spoken = join(directory, 'spoken.wav')
        const line = join(directory, 'line.wav')
        const voice = `${one(set.voices[locale])}${pick(set.variants)}`
        const manner = [
          '-s',
          String(pick(set.speeds)),
          '-p',
          String(pick(set.pitches)),
          '-a',
          String(between(40, 140)),
        ]
        await run('espeak-ng', ['-v', voice, ...manner, '-w', spoken, text])
        const noise = pick(set.noises)
        const pcm8 = ['-r', '8000', '-c', '1', '-b', '16', '-e', 'signed-integer']
        const reverberance = one(set.echoes)
        const room = reverberance === 0 ? [] : ['reverb', String(reverberance)]
        await run('sox', [spoken, ...pcm8, line, ...room, 'highpass', '300', 'lowpass', '3400'])
        const voiced = await soundOf(line)
        const [from, to] = energyBounds(voiced)
        const words = voiced.subarray(from * 16, Math.min(voiced.length, (to + FRAME_MS) * 16))
        const lead = between(200, 1500)
        const parts = [silence(lead), words]
        if (kind === 'machine' && PLAYS_BEEP.test(text))
          parts.push(silence(between(200, 700)), beep(pick(BEEPS_HZ), between(200, 800)))
        else if (kind === 'machine') parts.push(silence(1000), words)
        const whole = Buffer.concat(parts)
        parts.push(silence(Math.max(0, LISTEN_MS - whole.length / 16)))
        const below = one(set.rooms)
        const all = Buffer.concat(parts)
        const heard = kind === 'person' && below > 0 ? over(all, words, await television(), below) : all
        const pcm = await throughTelephone(directory, heard, noise)
        rendered.push({ kind, locale, text, pcm, endMs: lead + to - from })
      }
    }
  }
  return rendered
}

/** The sound with another one all the time, so many dB below the words. */
function over(pcm: Buffer, words: Buffer, other: Buffer, below: number): Buffer {
  const gain = 10 ** (-below / 20) * (levelOf(words) / levelOf(other))
  const mixed = Buffer.from(pcm)
  for (let at = 0; at < mixed.length; at += 2) {
    const sum = pcm.readInt16LE(at) + gain * other.readInt16LE(at % other.length)
    mixed.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(sum))), at)
  }
  return mixed
}

/** Root of the mean square. */
function levelOf(pcm: Buffer): number {
  let sum = 0
  for (let at = 0; at < pcm.length; at += 2) sum += pcm.readInt16LE(at) ** 2
  return Math.sqrt(sum / (pcm.length / 2))
}

function beep(hz: number, ms: number): Buffer {
  return synth(ms, (i) => 0.3 * Math.sin((2 * Math.PI * hz * i) / 8000))
}

/** As a caller hears it: with noise, in µ-law and back. */
async function throughTelephone(directory: string, pcm: Buffer, noise: number): Promise<Buffer> {
  const raw = ['-t', 'raw', '-r', '8000', '-c', '1']
  const linear = [...raw, '-b', '16', '-e', 'signed-integer']
  const options = { encoding: 'buffer', maxBuffer: 10_000_000 } as const
  const clean = join(directory, 'clean.raw')
  const coded = join(directory, 'coded.ul')
  await writeFile(clean, pcm)
  const hiss = join(directory, 'hiss.raw')
  const seconds = String(pcm.length / 16_000)
  await run('sox', ['-R', '-n', ...linear, hiss, 'synth', seconds, 'whitenoise', 'vol', String(noise)])
  const ulaw = [...raw, '-b', '8', '-e', 'mu-law']
  await run('sox', ['-D', '-m', '-v', '1', ...linear, clean, '-v', '1', ...linear, hiss, ...ulaw, coded])
  const { stdout } = await run('sox', [...ulaw, coded, ...linear, '-'], options)
  return stdout
}

async function soundOf(file: string): Promise<Buffer> {
  const wav = readChunks(await readFile(file))
  if ('problem' in wav) throw new Error(wav.problem)
  return wav.data
}

/** Who is on an answered line: by sound alone in a whole call, and by the words. */
export async function benchAnswers({ progress }: { progress: Progress }): Promise<Result[]> {
  const results: Result[] = []
  for (const [name, set] of Object.entries(SETS)) results.push(...(await benchSet(name, set, progress)))
  return results
}

async function benchSet(name: string, set: AnswerSet, progress: Progress): Promise<Result[]> {
  const directory = await createTempDir('porteiro-answers-')
  try {
    const answered = await renderAnswers(directory.path, set, progress)
    const heard: (Answered & Heard)[] = []
    for (const one of answered) {
      progress(`answers: ${heard.length} heard`)
      heard.push({ ...one, ...(await hearAnswer(one.pcm)) })
    }
    const machines = heard.filter(({ kind }) => kind === 'machine')
    const people = heard.filter(({ kind }) => kind === 'person')
    const late = machines.filter(({ releasedAt }) => releasedAt === undefined || releasedAt > RELEASE_MS)
    const mistaken = people.filter(({ releasedAt }) => releasedAt !== undefined)
    const delays = people.flatMap(({ spokeAt, endMs }) => (spokeAt === undefined ? [] : [spokeAt - endMs]))
    const words = (kind: Kind) => answered.filter((one) => one.kind === kind)
    const read = ({ text, locale }: Answered) => readGreeting(text, locale)
    const unread = words('machine').filter((one) => read(one) !== 'machine')
    const misread = words('person').filter((one) => read(one) === 'machine')
    const decides = words('machine').filter(({ text, locale }) =>
      ['yes', 'no'].includes(readAnswer(text, locale).answer),
    )
    const result = (
      bench: string,
      measured: number,
      baseline: number,
      { goal, unit = 'lines', more = {} }: { goal: number; unit?: string; more?: Record<string, number> },
    ): Result => ({
      bench: `answers, ${name} set, ${bench}`,
      facts: { machines: machines.length, people: people.length },
      measured,
      baseline,
      unit,
      against: 'all of them',
      ratio: measured / baseline,
      goal: { measured: goal },
      more,
    })
    return [
      result(
        'machines that decide',
        machines.filter(({ decided }) => decided).length + decides.length,
        machines.length,
        {
          goal: 0,
        },
      ),
      result(`machines on the line after ${RELEASE_MS} ms, by sound`, late.length, machines.length, {
        goal: machines.length * 0.05,
        more: { 'of them taken for people': late.filter(({ provenAt }) => provenAt !== undefined).length },
      }),
      result('people taken for machines, by sound', mistaken.length, people.length, {
        goal: people.length * 0.01,
      }),
      {
        ...result('from the end of a hello to our first word, p95', percentile(delays, 0.95), LIVE_MS, {
          goal: LIVE_MS,
          unit: 'ms',
          more: {
            p50: percentile(delays, 0.5),
            most: Math.max(...delays),
            unanswered: people.length - delays.length,
          },
        }),
        against: 'the bound',
      },
      result('machines not known by their words', unread.length, machines.length, {
        goal: machines.length * 0.05,
      }),
      result('people taken for machines, by their words', misread.length, people.length, {
        goal: people.length * 0.01,
      }),
    ]
  } finally {
    await directory.remove()
  }
}
