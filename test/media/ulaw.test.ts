import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { createUlawTrap, ULAW, type UlawVerdict } from '../../src/media/ulaw.ts'
import { addNoise, capture, random, silence, soundOf, synth, tone } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('the µ-law trap')

/** The first verdict on 160-byte payloads, and how many it took. */
function judged(sound: Buffer): [UlawVerdict, number] {
  const trap = createUlawTrap()
  let count = 0
  for (let at = 0; at + 160 <= sound.length && trap.verdict === 'undecided'; at += 160) {
    trap.judge(sound, at, at + 160)
    count++
  }
  return [trap.verdict, count]
}

/** The code whose value is nearest: the table's own inverse. */
const CODES = Uint8Array.from({ length: 65536 }, (_, i) => {
  let best = 0
  for (let code = 1; code < 256; code++) {
    if (Math.abs(ULAW[code]! - (i - 32768)) < Math.abs(ULAW[best]! - (i - 32768))) best = code
  }
  return best
})

const encode = (pcm: Buffer): Buffer =>
  Buffer.from(Uint8Array.from({ length: pcm.length / 2 }, (_, i) => CODES[pcm.readInt16LE(i * 2) + 32768]!))

const scaled = (pcm: Buffer, gain: number): Buffer =>
  synth(pcm.length / 16, (i) => (pcm.readInt16LE(i * 2) / 32767) * gain)

const SPEECH = ['visitor-app', 'resident-app', 'visitor-dial-slin'].map((name) => soundOf(capture(name)))

test('decodes the values of G.711', () => {
  assert.equal(
    [0x00, 0x80, 0x7f, 0xff, 0x0f, 0x8f, 0xf0].map((code) => ULAW[code]),
    [-32124, 32124, -0, 0, -16764, 16764, 120],
  )
})

test('recognises what Asterisk sent as µ-law, from anywhere in it', () => {
  const sound = soundOf(capture('dial-ulaw-trap'))
  for (let from = 0; from < 8000; from += 160) {
    const [verdict, count] = judged(sound.subarray(from))
    assert.is(verdict, 'ulaw')
    assert.ok(count <= 10, `${count} payloads from ${from}`)
  }
})

test('recognises speech, tones, noise and quiet words in µ-law', () => {
  const quiet = SPEECH.flatMap((pcm) =>
    [0.03, 0.2, 1, 2].map((gain) => scaled(pcm.subarray(0, 48_000), gain)),
  )
  for (const pcm of [
    ...quiet,
    tone('5', 400, -16),
    addNoise(silence(400), -30),
    addNoise(silence(400), -50),
  ]) {
    assert.is(judged(encode(pcm))[0], 'ulaw')
  }
})

test('never takes slin in packets of 10 ms for µ-law', () => {
  for (const pcm of SPEECH) {
    for (const gain of [0.005, 0.03, 0.2, 1, 3, 10]) {
      const sound = scaled(pcm, gain)
      for (let from = 0; from < sound.length - 3200; from += 1600) {
        assert.is.not(judged(sound.subarray(from))[0], 'ulaw', `gain ${gain} from ${from}`)
      }
    }
  }
})

test('never takes slin that was µ-law on its way for µ-law, however loud', () => {
  for (const pcm of SPEECH) {
    for (const gain of [0.1, 1, 3, 8]) {
      const codes = encode(scaled(pcm, gain))
      const sound = synth(codes.length / 8, (i) => ULAW[codes[i]!]! / 32767)
      for (let from = 0; from < sound.length - 3200; from += 1600) {
        assert.is.not(judged(sound.subarray(from))[0], 'ulaw', `gain ${gain} from ${from}`)
      }
    }
  }
})

test('never takes noise, tones, steps or silence in slin for µ-law, at any level', () => {
  const kinds: ((amplitude: number, seed: number) => Buffer)[] = [
    (amplitude, seed) => addNoise(silence(300), 20 * Math.log10(amplitude), seed),
    (amplitude, seed) => synth(300, (i) => amplitude * Math.sin((i * (seed % 4000) * Math.PI) / 4000)),
    (amplitude, seed) => synth(300, (i) => amplitude * Math.sign(Math.sin((i * (100 + (seed % 900))) / 700))),
    (amplitude, seed) => {
      const next = random(seed)
      return synth(300, () => amplitude * (next() * 2 - 1))
    },
  ]
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: kinds.length - 1 }),
      fc.double({ min: -90, max: 6, noNaN: true }),
      fc.integer({ min: 1, max: 1e6 }),
      (kind, level, seed) => judged(kinds[kind]!(10 ** (level / 20), seed))[0] !== 'ulaw',
    ),
    { numRuns: 1500, seed: 20 },
  )
})

test('waits in the silence of µ-law, knows that of slin, and knows 20 ms of slin by their size', () => {
  assert.is(judged(silence(3000))[0], 'slin')
  assert.is(judged(Buffer.alloc(3200, 0xff))[0], 'undecided')
  const trap = createUlawTrap()
  assert.is(trap.judge(silence(20), 0, 320), 'slin')
})

test.run()
