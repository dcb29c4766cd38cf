import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createReader } from '../../src/audiosocket/reader.ts'
import { createEar, type Ear, type EarFact, type EarOptions } from '../../src/media/ear.ts'
import { loadVad } from '../../src/media/vad.ts'

/** Stands for the 3 bytes of header: the media knows nothing of them. */
export const frame = (pcm: Uint8Array): Buffer => Buffer.concat([Buffer.from([0x10, 0x01, 0x40]), pcm])

export const engine = await loadVad()

/** All bytes that Asterisk sent in one of the recorded connections. */
export function capture(name: string): Buffer {
  const text = readFileSync(join(import.meta.dirname, '..', 'fixtures', 'captures', `${name}.jsonl`), 'utf8')
  const reads = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return Buffer.concat(reads.filter(Array.isArray).map(([, bytes]) => Buffer.from(bytes, 'base64')))
}

/** The sound in a recorded connection. */
export function soundOf(stream: Buffer): Buffer {
  const parts: Buffer[] = []
  createReader((kind, bytes, start, end) => {
    if (kind === 0x10) parts.push(bytes.subarray(start, end))
  }).push(stream)
  return Buffer.concat(parts)
}

/** Cuts a stream into pieces of the lengths that `next` gives. */
export function* pieces(stream: Buffer, next: () => number): Generator<Buffer> {
  for (let at = 0; at < stream.length; ) {
    const length = Math.max(1, next())
    yield stream.subarray(at, at + length)
    at += length
  }
}

/** Everything an ear says of a whole stream of AudioSocket messages that arrives in these pieces. */
export function hear(chunks: Iterable<Buffer>, watch?: (ear: Ear) => void): EarFact[] {
  return listen((ear) => {
    watch?.(ear)
    const reader = createReader((kind, bytes, start, end) => {
      if (kind === 0x10) ear.audio(bytes, start, end, 8000)
      else if (kind === 0x03) ear.key(String.fromCharCode(bytes[start]!))
    })
    for (const chunk of chunks) reader.push(chunk)
  })
}

/** What an ear says while `feed` gives it something, and in a second of silence after that. */
export function listen(
  feed: (ear: Ear) => void,
  speech: EarOptions['speech'] = {},
  beeps = false,
): EarFact[] {
  const facts: EarFact[] = []
  const ear = createEar({ vad: engine, onFact: (fact) => facts.push(fact), speech, beeps })
  feed(ear)
  ear.idle(1000)
  ear.close()
  return facts
}

export const keysOf = (facts: EarFact[]): string =>
  facts.map((fact) => (fact.type === 'key.pressed' ? fact.key : '')).join('')

/** From, to: the speech in s16le sound by its energy, ms: what is within 40 dB of the loudest 10 ms. */
export function energyBounds(pcm: Buffer): [number, number] {
  const powers = Array.from({ length: Math.floor(pcm.length / 160) }, (_, index) => {
    let sum = 0
    for (let i = 0; i < 80; i++) sum += pcm.readInt16LE(index * 160 + i * 2) ** 2
    return sum
  })
  const floor = Math.max(...powers) / 10_000
  const loud = (power: number) => power > floor
  return [powers.findIndex(loud) * 10, (powers.findLastIndex(loud) + 1) * 10]
}

/** A generator of the same numbers in [0, 1) each time (mulberry32). */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** s16le sound: `sample(i)` in the range of -1 to 1. */
export function synth(ms: number, sample: (index: number) => number, rate = 8000): Buffer {
  const pcm = Buffer.alloc(Math.round((ms * rate) / 1000) * 2)
  for (let i = 0; i < pcm.length / 2; i++) {
    pcm.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(sample(i) * 32767))), i * 2)
  }
  return pcm
}

const DTMF: Record<string, [number, number]> = Object.fromEntries(
  [...'123A456B789C*0#D'].map((key, i) => [
    key,
    [[697, 770, 852, 941][i >> 2]!, [1209, 1336, 1477, 1633][i % 4]!],
  ]),
)

/** One key's tone; `level` is that of each of its two sines, dBFS of their peak; `twist` dB more for the higher. */
export function tone(key: string, ms: number, level = -10, twist = 0, rate = 8000): Buffer {
  const [low, high] = DTMF[key]!
  const amplitude = 10 ** (level / 20)
  const wave = (hz: number, i: number) => Math.sin((2 * Math.PI * hz * i) / rate)
  return synth(ms, (i) => amplitude * (wave(low, i) + 10 ** (twist / 20) * wave(high, i)), rate)
}

export const silence = (ms: number): Buffer => Buffer.alloc(ms * 16)

export function addNoise(pcm: Buffer, level: number, seed = 1): Buffer {
  const next = random(seed)
  const amplitude = 10 ** (level / 20)
  // twelve uniform numbers make a normal one of variance 1
  const normal = () => Array.from({ length: 12 }, next).reduce((sum, one) => sum + one, -6)
  return synth(pcm.length / 16, (i) => pcm.readInt16LE(i * 2) / 32767 + normal() * amplitude)
}
