import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import { KIND, message, rateOf } from '../../src/audiosocket/frame.ts'
import { createReader } from '../../src/audiosocket/reader.ts'
import { PorteiroError } from '../../src/platform/errors.ts'
import { capture, coded, createDice } from '../rig/audiosocket-peer.ts'
import { suite } from '../rig/rig.ts'

const test = suite('audiosocket reader')

const audio = fc
  .tuple(fc.integer({ min: KIND.slin8, max: KIND.slin192 }), fc.integer({ min: 0, max: 400 }), fc.nat(255))
  .map(([kind, samples, fill]) => message(kind, Buffer.alloc(samples * 2, fill)))
const key = fc.constantFrom(...'0123456789ABCD*#').map((text) => message(KIND.dtmf, Buffer.from(text)))
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => message(KIND.uuid, bytes))
const other = fc.constantFrom(message(KIND.hangup, Buffer.alloc(0)), message(KIND.error, Buffer.from([2])))
const stream = fc.array(fc.oneof({ arbitrary: audio, weight: 4 }, key, uuid, other), { maxLength: 40 })

test('any cut of any stream of messages decodes to the same messages', () => {
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 60 }), (messages, sizes) => {
      assert.equal(decode(cut(Buffer.concat(messages), sizes)), messages)
    }),
    { numRuns: 2000 },
  )
})

test('one byte at a time decodes to the same messages', () => {
  fc.assert(
    fc.property(stream, (messages) => {
      const whole = Buffer.concat(messages)
      assert.equal(decode(cut(whole, new Array(whole.length).fill(1))), messages)
    }),
    { numRuns: 100 },
  )
})

test('whole messages are handed on in place, cut ones in a buffer of their own', () => {
  const first = message(KIND.slin8, Buffer.alloc(320, 1))
  const second = message(KIND.slin8, Buffer.alloc(320, 2))
  const chunk = Buffer.concat([first, second, first.subarray(0, 100)])
  const seen: [Buffer, number, number][] = []
  const reader = createReader((_, bytes, start, end) => seen.push([bytes, start, end]))
  reader.push(chunk)
  assert.is(seen.length, 2)
  assert.is(seen[0]![0], chunk)
  assert.equal(seen[0]!.slice(1), [3, 323])
  assert.is(seen[1]![0], chunk)
  assert.equal(seen[1]!.slice(1), [326, 646])
  const rest = Buffer.from(first.subarray(100))
  reader.push(rest)
  rest.fill(0)
  chunk.fill(0)
  assert.equal(seen[2]![0], first, 'nobody writes to what was handed on')
  assert.equal(seen[2]!.slice(1), [3, 323])
})

test('what a real Asterisk sent decodes, in its own cut and in others', () => {
  const expected = [
    {
      name: 'visitor-app',
      sizes: [
        [320, 453],
        [252, 1],
        [276, 1],
      ],
      keys: '101#',
    },
    { name: 'visitor-dial-slin', sizes: [], keys: '101#' },
    {
      name: 'resident-app',
      sizes: [
        [320, 192],
        [272, 1],
        [276, 1],
      ],
      keys: '1',
    },
    {
      name: 'caller-leaves',
      sizes: [
        [320, 99],
        [276, 1],
      ],
      keys: '',
    },
    {
      name: 'dial-ulaw-trap',
      sizes: [
        [160, 193],
        [136, 1],
        [138, 1],
      ],
      keys: '1',
    },
  ]
  for (const { name, sizes, keys } of expected) {
    const reads = capture(name)
    const messages = decode(reads)
    assert.is(messages[0]![0], KIND.uuid)
    const pressed = messages
      .filter((whole) => whole[0] === KIND.dtmf)
      .map((whole) => whole.toString('latin1', 3))
    assert.is(pressed.join(''), keys, name)
    for (const [size, count] of sizes) {
      const found = messages.filter((whole) => rateOf(whole[0]!) === 8000 && whole.length - 3 === size)
      assert.is(found.length, count, `${name}: ${size} bytes`)
    }
    const joined = Buffer.concat(reads)
    for (const size of [1, 2, 3, 322, 323, 324, 1000, joined.length]) {
      const sized = cut(joined, new Array(Math.ceil(joined.length / size)).fill(size))
      assert.equal(decode(sized), messages, `${name} by ${size}`)
    }
  }
})

test('an unknown kind is refused at its first byte', () => {
  for (let kind = 0; kind <= 0xff; kind++) {
    const known = [0x00, 0x01, 0x03, 0xff].includes(kind) || (kind >= 0x10 && kind <= 0x18)
    const push = () => createReader(() => {}).push(Buffer.from([kind]))
    if (known) push()
    else assert.throws(push, coded('FRAME_UNKNOWN_KIND'))
  }
})

test('a length that its kind cannot have is refused at the header', () => {
  const cases: [number, number][] = [
    [KIND.hangup, 1],
    [KIND.uuid, 15],
    [KIND.uuid, 17],
    [KIND.uuid, 0],
    [KIND.dtmf, 0],
    [KIND.dtmf, 2],
    [KIND.slin16, 639],
  ]
  for (const [kind, length] of cases) {
    assert.throws(() => decode([headerOf(kind, length)]), coded('FRAME_MALFORMED'), `${kind} ${length}`)
    const [first, ...rest] = headerOf(kind, length)
    assert.throws(() => decode([Buffer.from([first!]), Buffer.from(rest)]), coded('FRAME_MALFORMED'))
  }
})

test('an odd number of bytes as 8 kHz slin is another codec', () => {
  assert.throws(() => decode([headerOf(KIND.slin8, 319)]), coded('CODEC_UNSUPPORTED'))
})

test('more than a second of audio is refused before it arrives', () => {
  assert.throws(() => decode([headerOf(KIND.slin8, 65534)]), coded('FRAME_OVERSIZED'))
  assert.throws(() => decode([headerOf(KIND.slin8, 16002)]), coded('FRAME_OVERSIZED'))
  assert.throws(() => decode([headerOf(KIND.slin24, 48002)]), coded('FRAME_OVERSIZED'))
  for (const [kind, length] of [
    [KIND.slin8, 16000],
    [KIND.slin24, 48000],
    [KIND.slin44, 65534],
  ] as const) {
    assert.is(decode([headerOf(kind, length), Buffer.alloc(length)])[0]!.length, length + 3)
  }
})

test('fifty empty messages in a row are borne, one more is not', () => {
  const empty = headerOf(KIND.slin8, 0)
  const some = message(KIND.slin8, Buffer.alloc(2))
  const fifty = new Array<Buffer>(50).fill(empty)
  assert.is(decode([...fifty, some, ...fifty]).length, 101)
  assert.throws(() => decode([...fifty, some, ...fifty, empty]), coded('FRAME_EMPTY'))
  assert.throws(() => decode([Buffer.concat([...fifty, empty])]), coded('FRAME_EMPTY'))
})

test('200,000 streams of noise end in messages or in a coded error', () => {
  const seed = Date.now() >>> 0
  const roll = createDice(seed)
  const kinds = Object.values(KIND)
  let broken = 0
  for (let round = 0; round < 200_000; round++) {
    const noise = Buffer.allocUnsafe(1 + (roll() % 64))
    for (let at = 0; at < noise.length; at++) noise[at] = roll()
    // pure noise mostly ends at its first byte: three of four begin as a message does, with a length that may fit
    if (round % 4 !== 0) {
      noise[0] = kinds[roll() % kinds.length]!
      if (noise.length > 2) noise.writeUInt16BE([0, 1, 2, 16, roll() % 64][roll() % 5]!, 1)
    }
    try {
      for (const whole of decode(cut(noise, [1 + (roll() % 8), 1 + (roll() % 8)]))) {
        if (whole.length !== 3 + whole.readUInt16BE(1)) throw new Error('a message outside its bytes')
      }
    } catch (error) {
      broken++
      const expected = error instanceof PorteiroError && /^(FRAME_|CODEC_UNSUPPORTED$)/.test(error.code)
      if (!expected) assert.unreachable(`seed ${seed}, round ${round}: ${error} on ${noise.toString('hex')}`)
    }
  }
  assert.ok(broken > 1000 && broken < 200_000, `${broken} broke off`)
})

function headerOf(kind: number, length: number): Buffer {
  return Buffer.from([kind, length >> 8, length & 0xff])
}

function decode(chunks: Buffer[]): Buffer[] {
  const messages: Buffer[] = []
  const reader = createReader((kind, bytes, start, end) => {
    if (bytes[start - 3] !== kind) throw new Error('the header is not before the payload')
    messages.push(bytes.subarray(start - 3, end))
  })
  for (const chunk of chunks) reader.push(chunk)
  return messages
}

function cut(whole: Buffer, sizes: number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (const size of sizes) {
    if (at >= whole.length) break
    chunks.push(Buffer.from(whole.subarray(at, at + size)))
    at += size
  }
  if (at < whole.length) chunks.push(Buffer.from(whole.subarray(at)))
  return chunks
}

test.run()
