import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { type CodecVerdict, createCodecTrap, LAWS, type Law } from '../../src/media/codec.ts'
import { createEar } from '../../src/media/ear.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { readPrompts } from '../../src/testing/index.ts'
import { addNoise, capture, engine, random, silence, soundOf, synth, tone } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('the codec trap')

/** The first verdict on 160-byte payloads, and how many it took. */
function judged(sound: Buffer): [CodecVerdict, number] {
  const trap = createCodecTrap()
  let count = 0
  for (let at = 0; at + 160 <= sound.length && trap.verdict === 'undecided'; at += 160) {
    trap.judge(sound, at, at + 160)
    count++
  }
  return [trap.verdict, count]
}

/** The code whose value is nearest: a table's own inverse. */
const codesOf = (table: Int16Array) => {
  const sorted = Array.from(table, (value, code) => ({ value, code })).sort((a, b) => a.value - b.value)
  let at = 0
  return Uint8Array.from({ length: 65536 }, (_, i) => {
    const sample = i - 32768
    while (
      at + 1 < sorted.length &&
      Math.abs(sorted[at + 1]!.value - sample) <= Math.abs(sorted[at]!.value - sample)
    ) {
      at++
    }
    return sorted[at]!.code
  })
}

const CODES: Record<Law, Uint8Array> = { ulaw: codesOf(LAWS.ulaw), alaw: codesOf(LAWS.alaw) }

const encode = (pcm: Buffer, law: Law): Buffer =>
  Buffer.from(
    Uint8Array.from({ length: pcm.length / 2 }, (_, i) => CODES[law][pcm.readInt16LE(i * 2) + 32768]!),
  )

const fixture = (name: string): Buffer =>
  readFileSync(join(import.meta.dirname, '..', 'fixtures', 'codecs', name))

/** What the fixtures were made of. */
const { pcm: promptOf } = await readPrompts('pt-BR')
const ORIGINAL = Buffer.concat(
  ['sample-visitor-name', 'sample-visitor-purpose', 'sample-resident-talk'].map(promptOf),
).subarray(0, 64_000)

const correlation = (a: Buffer, b: Buffer): number => {
  let [ab, aa, bb] = [0, 0, 0]
  for (let at = 0; at + 1 < Math.min(a.length, b.length); at += 2) {
    const [x, y] = [a.readInt16LE(at), b.readInt16LE(at)]
    ab += x * y
    aa += x * x
    bb += y * y
  }
  return ab / Math.sqrt(aa * bb)
}

/** What an ear passes on of payloads, and the code it ends with. */
function heard(sound: Buffer, size: (index: number) => number): { pcm: Buffer; code: string | undefined } {
  const frames: Buffer[] = []
  const ear = createEar({ vad: engine, onFact: () => {} })
  ear.tap((samples) => void frames.push(Buffer.from(Int16Array.from(samples).buffer)))
  let code: string | undefined
  try {
    for (let at = 0, index = 0; at + size(index) <= sound.length; at += size(index++)) {
      ear.audio(sound, at, at + size(index), 8000)
    }
  } catch (error) {
    code = error instanceof PorteiroError ? error.code : String(error)
  }
  ear.close()
  return { pcm: Buffer.concat(frames), code }
}

const scaled = (pcm: Buffer, gain: number): Buffer =>
  synth(pcm.length / 16, (i) => (pcm.readInt16LE(i * 2) / 32767) * gain)

const SPEECH = ['visitor-app', 'resident-app', 'visitor-dial-slin'].map((name) => soundOf(capture(name)))

test('decodes the values of G.711', () => {
  assert.equal(
    [0x00, 0x80, 0x7f, 0xff, 0x0f, 0x8f, 0xf0].map((code) => LAWS.ulaw[code]),
    [-32124, 32124, -0, 0, -16764, 16764, 120],
  )
  assert.equal(
    [0xd5, 0x55, 0xaa, 0x2a, 0x80, 0xc5].map((code) => LAWS.alaw[code]),
    [8, -8, 32256, -32256, 5504, 264],
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

test('recognises A-law of Asterisk, from anywhere in it', () => {
  const sound = fixture('speech.alaw')
  for (let from = 0; from < 28_000; from += 160) {
    const [verdict, count] = judged(sound.subarray(from))
    assert.is(verdict, 'alaw', `from ${from}`)
    assert.ok(count <= 25, `${count} payloads from ${from}`)
  }
})

test('A-law of Asterisk is heard as the words that were spoken', () => {
  const { pcm, code } = heard(fixture('speech.alaw'), () => 160)
  assert.is(code, undefined)
  assert.is(pcm.length, ORIGINAL.length)
  const same = correlation(pcm, ORIGINAL)
  assert.ok(same > 0.99, `${same}`)
})

for (const name of ['speech.g722', 'wideband.g722']) {
  test(`${name} is refused, from anywhere in it, and nothing of it is heard`, () => {
    const sound = fixture(name)
    for (let from = 0; from < 24_000; from += 800) {
      const { pcm, code } = heard(sound.subarray(from), () => 160)
      assert.is(code, 'CODEC_UNSUPPORTED', `from ${from}`)
      assert.is(pcm.length, 0, `${pcm.length} bytes were heard from ${from}`)
    }
  })
}

test('compressed packets of any even size are refused, and nothing of them is heard', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 30, max: 79 }), { minLength: 30, maxLength: 60 }),
      fc.integer({ min: 1, max: 1e6 }),
      (sizes, seed) => {
        const next = random(seed)
        const sound = Buffer.from(Array.from({ length: 9600 }, () => Math.floor(next() * 256)))
        const { pcm, code } = heard(sound, (index) => sizes[index % sizes.length]! * 2)
        return code === 'CODEC_UNSUPPORTED' && pcm.length === 0
      },
    ),
    { numRuns: 200, seed: 7 },
  )
})

for (const law of ['ulaw', 'alaw'] as const) {
  test(`recognises speech, tones, noise and quiet words in ${law}`, () => {
    const quiet = SPEECH.flatMap((pcm) =>
      [0.03, 0.2, 1, 2].map((gain) => scaled(pcm.subarray(0, 48_000), gain)),
    )
    for (const pcm of [
      ...quiet,
      tone('5', 400, -16),
      addNoise(silence(400), law === 'ulaw' ? -30 : -40),
      addNoise(silence(400), -50),
    ]) {
      assert.is(judged(encode(pcm, law))[0], law)
    }
  })
}

const SLIN: readonly CodecVerdict[] = ['slin', 'undecided']

test('never takes slin in packets of 10 ms for another codec', () => {
  for (const pcm of SPEECH) {
    for (const gain of [0.005, 0.03, 0.2, 1, 3, 10]) {
      const sound = scaled(pcm, gain)
      for (let from = 0; from < sound.length - 3200; from += 1600) {
        const [verdict] = judged(sound.subarray(from))
        assert.ok(SLIN.includes(verdict), `${verdict} at gain ${gain} from ${from}`)
      }
    }
  }
})

test('never takes slin that was G.711 on its way for another codec, however loud', () => {
  for (const law of ['ulaw', 'alaw'] as const) {
    for (const pcm of SPEECH) {
      for (const gain of [0.1, 1, 3, 8]) {
        const codes = encode(scaled(pcm, gain), law)
        const sound = synth(codes.length / 8, (i) => LAWS[law][codes[i]!]! / 32767)
        for (let from = 0; from < sound.length - 3200; from += 1600) {
          const [verdict] = judged(sound.subarray(from))
          assert.ok(SLIN.includes(verdict), `${verdict} at gain ${gain} from ${from}`)
        }
      }
    }
  }
})

test('never takes noise, tones, steps or silence in slin for G.711, at any level, nor refuses them unless they are noise at full scale', () => {
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
      (kind, level, seed) => {
        const [verdict] = judged(kinds[kind]!(10 ** (level / 20), seed))
        return SLIN.includes(verdict) || (verdict === 'foreign' && level > -12)
      },
    ),
    { numRuns: 1500, seed: 20 },
  )
})

test('waits in the silence of µ-law, knows that of slin, and knows 20 ms of slin by their size', () => {
  assert.is(judged(silence(3000))[0], 'slin')
  assert.is(judged(Buffer.alloc(3200, 0xff))[0], 'undecided')
  const trap = createCodecTrap()
  assert.is(trap.judge(silence(20), 0, 320), 'slin')
})

test.run()
