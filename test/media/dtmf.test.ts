import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { createDtmfDetector } from '../../src/media/dtmf.ts'
import { PROMPT_IDS } from '../../src/media/prompt-ids.ts'
import { pcmOf } from '../../src/media/wav.ts'
import { addNoise, capture, random, silence, soundOf, tone } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('in-band keys')
const ALL = '1234567890*#ABCD'

function keysIn(pcm: Buffer, offset = 0): string {
  let keys = ''
  const detector = createDtmfDetector((key) => {
    keys += key
  })
  const samples = new Int16Array(160)
  for (let at = offset; at + 320 <= pcm.length; at += 320) {
    for (let i = 0; i < 160; i++) samples[i] = pcm.readInt16LE(at + i * 2)
    detector.push(samples)
  }
  detector.flush()
  return keys
}

interface Dialling {
  ms?: number
  gap?: number
  level?: number
  twist?: number
}

function dial(keys: string, { ms = 50, gap = 50, level = -10, twist = 0 }: Dialling): Buffer {
  return Buffer.concat([
    ...[...keys].flatMap((key) => [tone(key, ms, level, twist), silence(gap)]),
    silence(100),
  ])
}

/** The same sound at ten places between two frames. */
function* shifted(pcm: Buffer): Generator<Buffer> {
  for (let bytes = 0; bytes < 320; bytes += 32) yield Buffer.concat([Buffer.alloc(bytes), pcm])
}

test('hears every key from -30 to -6 dBFS a tone, in tones and gaps of 40 ms and more, wherever frames begin', () => {
  for (const level of [-30, -25, -15, -6]) {
    for (const ms of [40, 50, 100]) {
      for (const gap of [40, 60]) {
        for (const pcm of shifted(dial(ALL, { level, ms, gap }))) {
          assert.is(keysIn(pcm), ALL, `${level} dBFS, ${ms} ms and ${gap} ms`)
        }
      }
    }
  }
})

test('hears keys in noise 15 dB below them, with a twist of 6 dB either way', () => {
  let seed = 0
  for (const level of [-28, -12]) {
    for (const twist of [-6, 0, 6]) {
      for (const pcm of shifted(dial(ALL, { level: level - Math.max(0, twist), twist }))) {
        assert.is(
          keysIn(addNoise(pcm, level - 15 - Math.abs(twist), seed++)),
          ALL,
          `${level} dBFS, ${twist} dB`,
        )
      }
    }
  }
})

test('tells a long key once, at its end', () => {
  assert.is(keysIn(tone('4', 3000)), '4')
  assert.is(keysIn(dial('44', { ms: 800, gap: 40 })), '44')
})

test('hears no key in tones shorter than 20 ms, single tones, or a twist of 14 dB', () => {
  for (const pcm of shifted(dial(ALL, { ms: 18 }))) assert.is(keysIn(pcm), '')
  for (const pcm of shifted(dial(ALL, { ms: 100, level: -20, twist: 14 }))) assert.is(keysIn(pcm), '')
  for (const pcm of shifted(dial(ALL, { ms: 100, level: -8, twist: -60 }))) assert.is(keysIn(pcm), '')
})

test('hears no key in the speech of the captures', () => {
  for (const name of ['visitor-app', 'resident-app', 'visitor-dial-slin']) {
    const pcm = soundOf(capture(name))
    for (let offset = 0; offset < 320; offset += 2)
      assert.is(keysIn(pcm, offset), '', `${name} from ${offset}`)
  }
})

test('hears no key in any prompt', () => {
  for (const locale of ['pt-BR', 'en']) {
    for (const id of PROMPT_IDS) {
      const file = join(import.meta.dirname, '..', '..', 'prompts', locale, `${id}.wav`)
      const pcm = pcmOf(readFileSync(file), file)
      for (let offset = 0; offset < 320; offset += 64) assert.is(keysIn(pcm, offset), '', `${locale} ${id}`)
    }
  }
})

test('hears no key in noise', () => {
  const next = random(3)
  for (const level of [-40, -20, -6]) {
    assert.is(keysIn(addNoise(silence(20_000), level, Math.floor(next() * 1000))), '')
  }
})

test.run()
