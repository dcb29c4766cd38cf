import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { parseWav, pcmOf, readWav, wavHeader, writeWav } from '../../src/media/wav.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { random, synth } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('WAV files')
const pcm = synth(100, (i) => Math.sin(i / 5) / 2)
const whole = Buffer.concat([wavHeader(pcm.length), pcm])

function reasonFor(bytes: Buffer): string {
  try {
    pcmOf(bytes, 'x.wav')
  } catch (error) {
    assert.instance(error, PorteiroError)
    assert.is((error as PorteiroError).code, 'PROMPT_FORMAT')
    assert.is((error as PorteiroError).details['file'], 'x.wav')
    assert.match(String((error as PorteiroError).details['remedy']), 'sox x.wav -r 8000')
    return String((error as PorteiroError).details['reason'])
  }
  throw new Error('it was taken')
}

const changed = (at: number, ...bytes: number[]): Buffer => {
  const copy = Buffer.from(whole)
  copy.set(bytes, at)
  return copy
}

test('reads what it writes', async ({ defer }) => {
  const directory = await mkdtemp(join(tmpdir(), 'porteiro-wav-'))
  defer(() => rm(directory, { recursive: true }))
  const file = join(directory, 'a.wav')
  await writeWav(file, pcm, 0o600)
  assert.equal(await readWav(file), pcm)
  assert.is((await stat(file)).mode & 0o777, 0o600)
  await writeFile(file, 'no sound')
  await readWav(file).then(
    () => assert.unreachable(),
    (error) => assert.is(error.code, 'PROMPT_FORMAT'),
  )
})

test('names a file that is not there', async () => {
  await readWav('/nowhere/a.wav').then(
    () => assert.unreachable(),
    (error) => {
      assert.is(error.code, 'PROMPT_FORMAT')
      assert.match(error.message, '/nowhere/a.wav')
      assert.match(error.message, 'ENOENT')
    },
  )
})

test('skips other chunks, also of odd length, and what follows the sound', () => {
  const list = Buffer.from('LIST\x05\x00\x00\x00hello\x00', 'latin1')
  const bytes = Buffer.concat([whole.subarray(0, 12), list, whole.subarray(12), list])
  assert.equal(pcmOf(bytes), pcm)
})

test('reads an extensible header and the endless length of an encoder that writes to a pipe', () => {
  const format = Buffer.alloc(48)
  format.write('fmt ')
  format.writeUInt32LE(40, 4)
  whole.copy(format, 8, 20, 36)
  format.writeUInt16LE(0xfffe, 8)
  format.writeUInt16LE(1, 32)
  assert.equal(pcmOf(Buffer.concat([whole.subarray(0, 12), format, whole.subarray(36)])), pcm)
  assert.equal(pcmOf(changed(40, 0xff, 0xff, 0xff, 0xff)), pcm)
})

test('says what is wrong with any other file', () => {
  assert.match(reasonFor(Buffer.alloc(0)), '0 bytes')
  assert.match(reasonFor(changed(0, 0x4d)), 'RIFF')
  assert.match(reasonFor(changed(24, 0x80, 0x3e)), '16000 Hz, 1 channel(s), 16 bit')
  assert.match(reasonFor(changed(22, 2)), '2 channel(s)')
  assert.match(reasonFor(changed(34, 8)), '8 bit')
  assert.match(reasonFor(changed(20, 7)), 'codec is number 7')
  assert.match(reasonFor(changed(12, 0x78)), 'before its format')
  assert.match(reasonFor(changed(36, 0x78)), 'no data chunk')
  assert.match(reasonFor(whole.subarray(0, 20)), 'cut short')
  assert.match(reasonFor(whole.subarray(0, 700)), '656 of 1600')
})

test('takes or refuses any damaged file, and never fails otherwise', () => {
  const next = random(5)
  for (let run = 0; run < 3000; run++) {
    const bytes = Buffer.from(whole.subarray(0, Math.floor(next() * 200)))
    for (let changes = 0; changes < 3 && bytes.length > 0; changes++) {
      bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256)
    }
    try {
      parseWav(bytes)
    } catch (error) {
      assert.instance(error, PorteiroError)
    }
  }
})

test.run()
