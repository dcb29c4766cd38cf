import type { WriteStream } from 'node:fs'
import { readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { createLegRecorder, type LegRecorder } from '../../src/media/leg-recorder.ts'
import { finishLegRecordings } from '../../src/media/leg-recording-file.ts'
import { FRAME_BYTES, FRAME_MS, FRAME_SAMPLES } from '../../src/platform/audio.ts'
import { createTempDir } from '../../src/platform/temp-dir.ts'
import { headerOf, readChunks } from '../../src/platform/wav.ts'
import { failure } from '../rig/failure.ts'
import { frame } from '../rig/media-stream.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('media: leg recorder')
const HEADER = 3

/** 20 ms that are known again: every sample is the same number. */
const samples = (value: number) => new Int16Array(FRAME_SAMPLES).fill(value)

async function begin(rig: Rig) {
  const scratch = await createTempDir('porteiro-leg-recorder-')
  rig.defer(() => scratch.remove())
  const file = join(scratch.path, 'call', 'visitor-leg.wav')
  return {
    file,
    legRecorder: createLegRecorder(file),
    folder: join(scratch.path, 'call'),
    scratch: scratch.path,
  }
}

/** Has the caller say, and the leg hear, frames of these values in this order. */
function run(legRecorder: LegRecorder, steps: readonly (['says' | 'hears', number] | 'nothing')[]) {
  let next: Buffer | null = null
  const played = legRecorder.recordPlayed({ next: () => next }, HEADER)
  for (const step of steps) {
    if (step === 'nothing') {
      next = null
      assert.is(played.next(), null)
    } else if (step[0] === 'says') legRecorder.tap(samples(step[1]), 0)
    else {
      next = frame(Buffer.from(samples(step[1]).buffer))
      // the very message: recording it copies nothing of what is sent
      assert.is(played.next(), next)
    }
  }
}

/** One number a frame and channel; a frame that is not of one piece fails. */
async function read(file: string): Promise<{ left: number[]; right: number[] }> {
  const wav = readChunks(await readFile(file))
  if ('problem' in wav) throw new Error(wav.problem)
  assert.equal([wav.rate, wav.channels, wav.bits, wav.declared], [8000, 2, 16, wav.data.length])
  const channels = [0, 1].map((channel) =>
    Array.from({ length: wav.data.length / (2 * FRAME_BYTES) }, (_, at) => {
      const values = new Set(
        Array.from({ length: FRAME_SAMPLES }, (_, sample) =>
          wav.data.readInt16LE(at * 2 * FRAME_BYTES + sample * 4 + channel * 2),
        ),
      )
      assert.is(values.size, 1, `frame ${at} of channel ${channel} is of several`)
      return [...values][0]!
    }),
  )
  return { left: channels[0]!, right: channels[1]! }
}

test('what a caller says is left, what it hears is right, from beginning to end', async (rig) => {
  const { file, legRecorder, folder } = await begin(rig)
  // -1 and 32767: both ends of a sample
  const values = Array.from({ length: 433 }, (_, at) =>
    at % 3 === 0 ? 32_767 : at % 3 === 1 ? -32_768 : -1 - at,
  )
  run(
    legRecorder,
    values.flatMap((value, at) => [
      ['hears', values.at(-1 - at)!] as ['hears', number],
      ['says', value] as ['says', number],
    ]),
  )
  assert.is((await legRecorder.close()).ms, values.length * FRAME_MS)
  assert.equal(await read(file), { left: values, right: values.toReversed() })
  assert.equal(await readdir(folder), ['visitor-leg.wav'])
  assert.is((await stat(file)).mode & 0o777, 0o600)
})

test('after a pause the leg hears when it heard, and who only heard is recorded too', async (rig) => {
  const { file, legRecorder } = await begin(rig)
  const says = (count: number) => Array.from({ length: count }, () => ['says', 7] as ['says', number])
  run(legRecorder, [
    ['hears', 1],
    ['hears', 2],
    ...says(10),
    'nothing',
    ['hears', 3],
    ...says(1),
    'nothing',
    ['hears', 4],
    ['hears', 5],
  ])
  await legRecorder.close()
  const { left, right } = await read(file)
  assert.equal(right, [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 5])
  assert.equal(left, [...Array(11).fill(7), 0, 0])
})

test('whatever the order, nothing that was said or heard is missing', async (rig) => {
  const { scratch } = await begin(rig)
  let count = 0
  const steps = fc.array(
    fc.tuple(fc.constantFrom<'says' | 'hears'>('says', 'hears'), fc.integer({ min: 1, max: 60 })),
    {
      maxLength: 40,
    },
  )
  await fc.assert(
    fc.asyncProperty(steps, async (runs) => {
      // what is heard may be ahead by a burst, and no more
      const file = join(scratch, `${++count}.wav`)
      const legRecorder = createLegRecorder(file)
      let [said, heard] = [0, 0]
      const wanted: ['says' | 'hears', number][] = []
      for (const [what, times] of runs) {
        for (let time = 0; time < times; time++) {
          if (what === 'hears' && heard - said > 40) break
          wanted.push([what, wanted.length + 1])
          if (what === 'says') said++
          else heard = Math.max(heard, said) + 1
        }
      }
      run(legRecorder, wanted)
      await legRecorder.close()
      const { left, right } = await read(file)
      const of = (what: string) => wanted.filter(([one]) => one === what).map(([, value]) => value)
      assert.equal(
        left.filter((value) => value !== 0),
        of('says'),
      )
      assert.equal(
        right.filter((value) => value !== 0),
        of('hears'),
      )
    }),
    { numRuns: 50 },
  )
})

test('where it cannot be written nothing is left, and the call goes on', async (rig) => {
  const { scratch } = await begin(rig)
  const inTheWay = join(scratch, 'in-the-way')
  await writeFile(inTheWay, '')
  const legRecorder = createLegRecorder(join(inTheWay, 'visitor-leg.wav'))
  run(
    legRecorder,
    Array.from({ length: 400 }, (_, at) => ['says', at] as ['says', number]),
  )
  const error = await failure(legRecorder.close())
  assert.is(error.code, 'RECORDING_FAILED')
  assert.equal((await readdir(scratch)).sort(), ['call', 'in-the-way'])
})

test('a disk that becomes full keeps what was written before', async (rig) => {
  const { legRecorder, file, folder } = await begin(rig)
  const out = await (legRecorder as unknown as { stream: Promise<WriteStream> }).stream
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const { _write: write, _writev: writeAll } = out
  let room = 2
  out._write = (chunk, encoding, done) => (room-- > 0 ? write.call(out, chunk, encoding, done) : done(full))
  out._writev = (chunks, done) => (room-- > 0 ? writeAll!.call(out, chunks, done) : done(full))
  for (const value of [1, 2, 3]) {
    const before = out.bytesWritten
    run(
      legRecorder,
      Array.from({ length: 100 }, () => ['says', value] as ['says', number]),
    )
    await eventually(() => out.bytesWritten > before || room < 0 || undefined)
  }
  const { ms, failure: reason } = await legRecorder.close()
  assert.is(reason, full)
  assert.equal(await readdir(folder), ['visitor-leg.wav'])
  const { left } = await read(file)
  assert.is(left.length * FRAME_MS, ms)
  assert.ok(left.length >= 50 && left.length < 250, `${left.length} frames`)
  assert.is(left[0], 1)
})

test('what overruns before the file is open leaves neither the file nor its descriptor', async (rig) => {
  const { legRecorder, folder } = await begin(rig)
  // 40 s at once: more than may wait for a disk
  run(
    legRecorder,
    Array.from({ length: 2000 }, () => ['says', 1] as ['says', number]),
  )
  assert.is((await failure(legRecorder.close())).code, 'RECORDING_FAILED')
  assert.equal(await readdir(folder), [])
  if (process.platform !== 'linux') return
  const open = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  )
  assert.equal(
    open.filter((path) => path.startsWith(folder)),
    [],
  )
})

test('what a lost process left is mended, and each part has a name of its own', async (rig) => {
  const { file, folder, legRecorder } = await begin(rig)
  run(legRecorder, [['says', 1]])
  await legRecorder.close()
  const again = createLegRecorder(file)
  run(again, [['says', 2]])
  await again.close()
  const left = (name: string, bytes: Buffer) =>
    writeFile(join(folder, `${name}.wav.00000000-0000-4000-8000-00000000000${bytes.length % 10}`), bytes)
  const sound = Buffer.from(new Int16Array(2 * FRAME_SAMPLES).fill(3).buffer)
  // its last sample was cut
  await left('visitor-leg', Buffer.concat([headerOf(0, 8000, 2), sound, Buffer.from([1, 2, 3])]))
  await left('resident-leg', headerOf(0, 8000, 2))
  await finishLegRecordings(folder)
  assert.equal((await readdir(folder)).sort(), ['visitor-leg-2.wav', 'visitor-leg-3.wav', 'visitor-leg.wav'])
  assert.equal(
    await Promise.all(
      ['', '-2', '-3'].map(async (part) => (await read(file.replace('.wav', `${part}.wav`))).left),
    ),
    [[1], [2], [3]],
  )
  await finishLegRecordings(join(folder, 'nobody'))
})

test.run()
