import * as assert from 'uvu/assert'
import { suite } from '../rig/rig.ts'

const test = suite('page sound')

// scripts of the page, which the compiler does not look into
const load = (file: string): Promise<Record<string, (...given: unknown[]) => never>> =>
  import(new URL(`../../src/web/phone/${file}`, import.meta.url).href)
const { createResampler, levelOf } = (await load('resampler.js')) as unknown as {
  createResampler(from: number, to: number): (block: Float32Array) => Float32Array
  levelOf(samples: Iterable<number>): number
}
const { createJitterBuffer } = (await load('jitter.js')) as unknown as {
  createJitterBuffer(options?: { primed?: number; full?: number }): {
    counts: { dropped: number; dry: number }
    push(frame: Float32Array): void
    pull(length: number): Float32Array
  }
}

/** `seconds` of a sine at -6 dBFS through a resampler in blocks of 128, as a worklet gets them. */
function through(from: number, to: number, frequency: number, seconds = 1): Float32Array {
  const resample = createResampler(from, to)
  const made: number[] = []
  for (let at = 0; at < from * seconds; at += 128) {
    const block = Float32Array.from(
      { length: 128 },
      (_, index) => 0.5 * Math.sin((2 * Math.PI * frequency * (at + index)) / from),
    )
    made.push(...resample(block))
  }
  return Float32Array.from(made)
}

/** Power of one frequency, in dB below the whole. */
function share(samples: Float32Array, rate: number, frequency: number): number {
  let cosine = 0
  let sine = 0
  let power = 0
  samples.forEach((sample, index) => {
    const turn = (2 * Math.PI * frequency * index) / rate
    cosine += sample * Math.cos(turn)
    sine += sample * Math.sin(turn)
    power += sample * sample
  })
  return 10 * Math.log10((2 * (cosine ** 2 + sine ** 2)) / samples.length / power)
}

for (const rate of [48_000, 44_100, 16_000]) {
  test(`a voice at ${rate} Hz comes to 8 kHz whole and without a seam`, () => {
    const made = through(rate, 8000, 1000)
    assert.ok(Math.abs(made.length - 8000) < 40, `${made.length} samples a second`)
    const steady = made.subarray(200, 7600)
    assert.ok(Math.abs(levelOf(steady) - -9.03) < 0.3, `${levelOf(steady)} dBFS`)
    assert.ok(share(steady, 8000, 1000) > -0.02, 'nothing but the tone')
  })

  test(`what a telephone cannot carry is not folded into what it can, at ${rate} Hz`, () => {
    const made = through(rate, 8000, 5500)
    assert.ok(levelOf(made.subarray(200, 7600)) < -45, `${levelOf(made.subarray(200, 7600))} dBFS`)
  })

  test(`8 kHz comes to ${rate} Hz at its pitch`, () => {
    const made = through(8000, rate, 440)
    const steady = made.subarray(rate / 20, made.length - rate / 20)
    assert.ok(share(steady, rate, 440) > -0.1)
    assert.ok(Math.abs(levelOf(steady) - -9.03) < 0.3)
  })
}

test('nothing is played until there is enough, and then without a gap', () => {
  const buffer = createJitterBuffer({ primed: 480, full: 1920 })
  const frame = (value: number) => new Float32Array(160).fill(value)
  buffer.push(frame(1))
  buffer.push(frame(2))
  assert.equal([...new Set(buffer.pull(128))], [0])
  buffer.push(frame(3))
  assert.equal([...buffer.pull(480)], [...frame(1), ...frame(2), ...frame(3)])
  assert.is(buffer.counts.dry, 0)
})

test('after it ran dry it waits again, so that one late frame is one gap and not many', () => {
  const buffer = createJitterBuffer({ primed: 320, full: 1920 })
  const frame = new Float32Array(160).fill(1)
  buffer.push(frame)
  buffer.push(frame)
  buffer.pull(320)
  assert.is(buffer.pull(10)[0], 0)
  assert.is(buffer.counts.dry, 1)
  buffer.push(frame)
  assert.is(buffer.pull(10)[0], 0, 'one frame is not enough')
  buffer.push(frame)
  assert.is(buffer.pull(10)[0], 1)
  assert.is(buffer.counts.dry, 1)
})

test('what a stall piled up is dropped from its old end', () => {
  const buffer = createJitterBuffer({ primed: 160, full: 480 })
  for (const value of [1, 2, 3, 4, 5]) buffer.push(new Float32Array(160).fill(value))
  assert.is(buffer.counts.dropped, 2)
  assert.equal([...new Set(buffer.pull(480))], [3, 4, 5])
})

test.run()
