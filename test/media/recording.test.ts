import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import FakeTimers from '@sinonjs/fake-timers'
import * as assert from 'uvu/assert'
import {
  createRecorder,
  loadRecording,
  type RecorderOptions,
  type Recording,
  saveRecording,
} from '../../src/media/recording.ts'
import { capture, energyBounds, keysOf, listen, silence, soundOf, tone } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('recordings')
const WORDS = soundOf(capture('resident-app')).subarray(0, 1600 * 16)

function record(sound: Buffer, options: RecorderOptions = {}, before?: Buffer): Promise<Recording> {
  const recorder = createRecorder(options)
  listen((ear) => {
    if (before !== undefined) ear.audio(before, 0, before.length, 8000)
    ear.tap(recorder.tap)
    ear.audio(sound, 0, sound.length, 8000)
  })
  recorder.stop()
  return recorder.done
}

test('keeps the words with a little silence around them', async () => {
  const said = await record(Buffer.concat([silence(1000), WORDS, silence(2000)]))
  assert.is(said.endedBy, 'silence')
  assert.ok(said.heard)
  assert.is(said.pcm.length, said.ms * 16)
  assert.is(said.ms % 20, 0)
  const [from, to] = energyBounds(said.pcm)
  assert.ok(from >= 100 && from <= 220, `${from} ms before`)
  assert.ok(said.ms - to >= 120 && said.ms - to <= 240, `${said.ms - to} ms after`)
  assert.ok(said.pcm.includes(WORDS.subarray(0, 20_000)))
})

test('ends at the limit, from the first word', async () => {
  const said = await record(Buffer.concat([silence(3000), WORDS, WORDS, WORDS]), { maxMs: 2000 })
  assert.is(said.endedBy, 'limit')
  assert.ok(said.ms >= 2000 && said.ms <= 2260, `${said.ms} ms`)
})

test('ends with nothing when nobody speaks in time', async () => {
  const said = await record(Buffer.concat([silence(1000), WORDS, silence(2000)]), { startMs: 800 })
  assert.equal(said, { pcm: Buffer.alloc(0), ms: 0, endedBy: 'nothing', heard: false })
})

test('does not take words for its own that were over when it began', async () => {
  const said = await record(silence(3000), { startMs: 2000 }, Buffer.concat([WORDS, silence(300)]))
  assert.equal([said.endedBy, said.heard], ['nothing', false])
})

test('takes words for its own that were not over when it began', async () => {
  const said = await record(Buffer.concat([WORDS.subarray(8000), silence(2000)]), {}, WORDS.subarray(0, 8000))
  assert.equal([said.endedBy, said.heard], ['silence', true])
  assert.ok(said.ms >= 1000)
})

test('ends by a key with what there is', async () => {
  const said = await record(Buffer.concat([silence(200), WORDS.subarray(0, 16_000)]), { silenceMs: 9000 })
  assert.equal([said.endedBy, said.heard], ['key', true])
  assert.ok(said.ms >= 1100)
})

test('ends when its signal does, before or later', async () => {
  const ending = new AbortController()
  const recorder = createRecorder({ signal: ending.signal })
  ending.abort()
  assert.is((await recorder.done).endedBy, 'cancelled')
  assert.is((await createRecorder({ signal: ending.signal }).done).endedBy, 'cancelled')
})

test('ends by the wall clock when frames stop coming', async ({ defer }) => {
  const clock = FakeTimers.install({ toFake: ['setTimeout', 'clearTimeout'] })
  defer(() => clock.uninstall())
  const recorder = createRecorder({ startMs: 4000, maxMs: 6000, silenceMs: 1500 })
  clock.tick(13_499)
  let ended: Recording | undefined
  void recorder.done.then((recording) => {
    ended = recording
  })
  await Promise.resolve()
  assert.is(ended, undefined)
  clock.tick(1)
  assert.is((await recorder.done).endedBy, 'nothing')
})

test('are kept whole, for their owner only, and read again', async ({ defer }) => {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-recordings-'))
  defer(() => rm(directory, { recursive: true }))
  const file = await saveRecording(directory, 'call-1', 'name', WORDS)
  assert.is((await stat(file)).mode & 0o777, 0o600)
  assert.equal(await readdir(join(directory, 'call-1')), ['name.wav'])
  assert.equal(await loadRecording(directory, 'call-1', 'name'), WORDS)
  await saveRecording(directory, 'call-1', 'name', silence(20))
  assert.equal(await loadRecording(directory, 'call-1', 'name'), silence(20))
  assert.is(await loadRecording(directory, 'call-1', 'purpose'), undefined)
})

test('that cannot be kept or read are an error of ours', async ({ defer }) => {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-recordings-'))
  defer(() => rm(directory, { recursive: true }))
  const failed = (promise: Promise<unknown>) =>
    promise.then(
      () => assert.unreachable(),
      (error) => assert.is(error.code, 'RECORDING_FAILED'),
    )
  await writeFile(join(directory, 'call-1'), '')
  await failed(saveRecording(directory, 'call-1', 'name', WORDS))
  await failed(saveRecording(directory, '../outside', 'name', WORDS))
  await failed(loadRecording(directory, 'call-1', 'a/b'))
  const file = await saveRecording(directory, 'call-2', 'name', WORDS)
  await writeFile(file, 'damaged')
  await failed(loadRecording(directory, 'call-2', 'name'))
})

test('hold no tones of keys, whoever reports the keys', async () => {
  const sound = Buffer.concat([WORDS, tone('1', 300), WORDS.subarray(0, 8000), silence(2000)])
  const recorder = createRecorder()
  listen((ear) => {
    ear.key('#')
    ear.tap(recorder.tap)
    ear.audio(sound, 0, sound.length, 8000)
  })
  const { pcm, heard } = await recorder.done
  assert.ok(heard)
  assert.is(keysOf(listen((ear) => ear.audio(pcm, 0, pcm.length, 8000))), '')
  const alone = await record(Buffer.concat([tone('1', 3000), silence(2000)]))
  assert.equal([alone.heard, alone.ms], [false, 0])
})

test.run()
