import { cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CATALOGUE, PROMPT_IDS } from '../../src/media/prompt-ids.ts'
import { loadPrompts } from '../../src/media/prompts.ts'
import { writeWav } from '../../src/media/wav.ts'
import type { Locale } from '../../src/platform/audio.ts'
import { frame, silence, synth } from '../rig/media-stream.ts'
import { type Rig, suite } from '../rig/rig.ts'

const test = suite('prompts')
const PACK = join(import.meta.dirname, '..', '..', 'prompts')
const LOCALES: Locale[] = ['pt-BR', 'en']
const load = (locale: Locale, ...more: string[]) =>
  loadPrompts({ directories: [PACK, ...more], locale, frame })

async function folder({ defer }: Rig): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-prompts-'))
  defer(() => rm(directory, { recursive: true }))
  return directory
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.unreachable(),
    (error) => error,
  )

const decibels = (share: number) => 20 * Math.log10(share)

test('both packs are complete, hold nothing else, and are below 9.5 MB together', async () => {
  let bytes = 0
  for (const locale of LOCALES) {
    const files = await readdir(join(PACK, locale))
    assert.equal(files.toSorted(), PROMPT_IDS.map((id) => `${id}.wav`).toSorted())
    for (const file of files) bytes += (await stat(join(PACK, locale, file))).size
  }
  assert.ok(bytes < 9.5e6, `${bytes} bytes`)
})

test('every prompt has words in both languages and a sound at their length and the level of speech', async () => {
  for (const locale of LOCALES) {
    const prompts = await load(locale)
    for (const id of prompts.ids) {
      const text = CATALOGUE[id][locale]
      const pcm = prompts.pcm(id)
      assert.is(prompts.text(id), text)
      const perCharacter = prompts.ms(id) / (text.length + 4)
      assert.ok(perCharacter > 40 && perCharacter < 150, `${locale} ${id}: ${perCharacter} ms a character`)
      const samples = new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.length))
      const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
      const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length)
      assert.ok(decibels(peak / 32768) < -3, `${locale} ${id} peaks at ${decibels(peak / 32768)} dBFS`)
      const level = decibels(rms / 32768)
      assert.ok(level > -22 && level < -17, `${locale} ${id} has ${level} dBFS`)
      const edge = samples.subarray(0, 80).reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
      assert.ok(edge < 400, `${locale} ${id} begins with ${edge}`)
    }
  }
})

test('are whole frames, made once, the last filled up with silence', async (rig) => {
  const directory = await folder(rig)
  await mkdir(join(directory, 'en'))
  const short = synth(50, () => 0.1)
  await writeWav(join(directory, 'en', 'greeting.wav'), short)
  const prompts = await load('en', directory)
  const frames = prompts.frames('greeting')
  assert.is(frames.length, 3)
  assert.is(prompts.ms('greeting'), 60)
  assert.equal(Buffer.concat(frames.map((one) => one.subarray(3))), Buffer.concat([short, silence(10)]))
  assert.is(prompts.frames('greeting')[0], frames[0])
  assert.ok(prompts.frames('menu').every((one) => one.length === 323))
})

test('compose words, digits, a recording and a pause from shared frames', async () => {
  const prompts = await load('pt-BR')
  const recording = [frame(silence(20)), frame(silence(20))]
  const said = prompts.compose(
    ['calling-unit', { spell: '10-B' }, { pause: 100 }, { recording: 'name' }, { recording: 'gone' }],
    (name) => (name === 'name' ? recording : undefined),
  )
  const ids = ['calling-unit', 'digit-1', 'digit-0', 'letter-b', 'recording:name']
  assert.equal(
    said.parts.map((part) => part.id),
    ids,
  )
  assert.is(said.frames[0], prompts.frames('calling-unit')[0])
  assert.is(said.frames.at(-1), recording[1])
  assert.is(said.ms, said.frames.length * 20)
  assert.is(said.parts.at(-1)!.to, said.ms)
  assert.is(said.parts[3]!.from - said.parts[2]!.to, 160)
  assert.is(said.parts[4]!.from - said.parts[3]!.to, 100)
  const [first] = said.parts
  assert.equal([first!.from, first!.to], [0, prompts.ms('calling-unit')])
  assert.equal(prompts.compose([{ spell: '???' }]).frames, [])
})

test('an unknown prompt is an error of ours', async () => {
  const prompts = await load('en')
  for (const ask of [prompts.frames, prompts.text, prompts.pcm, prompts.ms]) {
    assert.throws(
      () => ask('constructor'),
      (error: { code: string }) => error.code === 'PROMPT_MISSING',
    )
  }
  assert.throws(
    () => prompts.compose(['nonsense']),
    (error: { code: string }) => error.code === 'PROMPT_MISSING',
  )
})

test('name every missing and every malformed file', async (rig) => {
  const directory = await folder(rig)
  await cp(join(PACK, 'en'), join(directory, 'en'), { recursive: true })
  const only = () => loadPrompts({ directories: [directory], locale: 'en', frame })
  await writeFile(join(directory, 'en', 'menu.wav'), 'RIFF')
  await writeFile(join(directory, 'en', 'digit-3.wav'), 'RIFF')
  const malformed = await codeOf(only())
  assert.is(malformed.code, 'PROMPT_FORMAT')
  assert.equal(
    malformed.details.files,
    ['menu', 'digit-3'].map((id) => join(directory, 'en', `${id}.wav`)),
  )
  await rm(join(directory, 'en', 'greeting.wav'))
  await rm(join(directory, 'en', 'letter-f.wav'))
  const missing = await codeOf(only())
  assert.is(missing.code, 'PROMPT_MISSING')
  assert.equal(missing.details.missing, ['greeting', 'letter-f'])
  assert.match(missing.message, join(directory, 'en', 'greeting.wav'))
})

test.run()
