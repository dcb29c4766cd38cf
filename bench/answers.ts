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
import texts from './answers.json' with { type: 'json' }
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
const SEED = 20_261_130
/** A mailbox has to be released within this time, ms. */
const RELEASE_MS = 8000
const LIVE_MS = 600
/** How long a line is listened to, ms. */
const LISTEN_MS = 12_000
const FRAME_MS = 20
const SPEEDS = [140, 160, 175, 190]
const PITCHES = [30, 45, 60, 75]
const VARIANTS = ['', '+m3', '+f2', '+f4', '+m7']
const VOICES: Record<Locale, string> = { 'pt-BR': 'pt-br', en: 'en-us' }
const BEEPS_HZ = [440, 620, 800, 1000, 1400]
/** sox's amplitude of the noise of a line. */
const NOISES = [0, 0.0005, 0.002, 0.005]
const PLAYS_BEEP = /sinal|bipe|recado|mensagem|tone|beep|message/i

/** Renders the labelled set: espeak-ng speaks, sox adds noise and the telephone's G.711. */
async function renderAnswers(directory: string, progress: Progress = () => {}): Promise<Answered[]> {
  const next = random(SEED)
  const pick = <One>(list: readonly One[]): One => list[Math.floor(next() * list.length)]!
  const between = (from: number, to: number) =>
    Math.round((from + next() * (to - from)) / FRAME_MS) * FRAME_MS
  const rendered: Answered[] = []
  for (const kind of ['machine', 'person'] as const) {
    for (const locale of ['pt-BR', 'en'] as const) {
      for (const text of texts[kind][locale].flatMap((text) => Array<string>(TAKES).fill(text))) {
        progress(`answers: ${rendered.length} rendered`)
        const spoken = join(directory, 'spoken.wav')
        const line = join(directory, 'line.wav')
        const voice = `${VOICES[locale]}${pick(VARIANTS)}`
        const manner = [
          '-s',
          String(pick(SPEEDS)),
          '-p',
          String(pick(PITCHES)),
          '-a',
          String(between(40, 140)),
        ]
        await run('espeak-ng', ['-v', voice, ...manner, '-w', spoken, text])
        const noise = pick(NOISES)
        const pcm8 = ['-r', '8000', '-c', '1', '-b', '16', '-e', 'signed-integer']
        await run('sox', [spoken, ...pcm8, line, 'highpass', '300', 'lowpass', '3400'])
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
        const pcm = await throughTelephone(directory, Buffer.concat(parts), noise)
        rendered.push({ kind, locale, text, pcm, endMs: lead + to - from })
      }
    }
  }
  return rendered
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
  const directory = await createTempDir('porteiro-answers-')
  try {
    const answered = await renderAnswers(directory.path, progress)
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
    const decides = words('machine').filter(({ text, locale }) => readAnswer(text, locale).answer === 'yes')
    const result = (
      bench: string,
      measured: number,
      baseline: number,
      { goal, unit = 'lines', more = {} }: { goal: number; unit?: string; more?: Record<string, number> },
    ): Result => ({
      bench: `answers, ${bench}`,
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
