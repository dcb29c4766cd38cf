import * as assert from 'uvu/assert'
import { createBridgeLine } from '../../src/media/bridge.ts'
import { LAWS } from '../../src/media/codec.ts'
import { createTalkCounts } from '../../src/media/jitter-buffer.ts'
import { capture, frame, random, soundOf, synth } from '../rig/media-stream.ts'
import { suite } from '../rig/rig.ts'

const test = suite('a line of the bridge')
const silence = frame(new Uint8Array(320))
const line = (wake = () => {}) => createBridgeLine({ frame, silence, wake, counts: createTalkCounts() })
/** A whole message that is loud and whose last sample is its number. */
const numbered = (number: number): Buffer => {
  const message = frame(new Uint8Array(320).fill(40))
  message.writeInt16LE(number, 321)
  return message
}
const numberOf = (message: Buffer | null) => message?.readInt16LE(321)

test('hands on the very bytes that arrived, with their header', () => {
  const one = line()
  const chunk = Buffer.concat([numbered(1), numbered(2)])
  one.audio(chunk, 3, 323, 8000)
  one.audio(chunk, 326, 646, 8000)
  const first = one.next()!
  assert.is(first.buffer, chunk.buffer)
  assert.is(first.byteOffset, chunk.byteOffset)
  assert.is(first.length, 323)
  assert.is(numberOf(one.next()), 2)
})

test('begins with two frames, and wakes its listener then', () => {
  let woken = 0
  const one = line(() => woken++)
  one.audio(numbered(1), 3, 323, 8000)
  assert.is(one.next(), null)
  assert.is(woken, 0)
  one.audio(numbered(2), 3, 323, 8000)
  assert.is(woken, 1)
  assert.is(numberOf(one.next()), 1)
})

test('drops and counts the oldest beyond six frames, those of pauses first', () => {
  const one = line()
  for (let i = 1; i <= 8; i++) one.audio(numbered(i), 3, 323, 8000)
  assert.is(one.report().dropped, 2)
  assert.equal(Array.from({ length: 6 }, () => one.next()).map(numberOf), [3, 4, 5, 6, 7, 8])
  const other = line()
  for (let i = 1; i <= 4; i++) other.audio(numbered(i), 3, 323, 8000)
  other.hush(3, 323, 8000)
  for (let i = 5; i <= 6; i++) other.audio(numbered(i), 3, 323, 8000)
  assert.is(other.report().dropped, 0)
  assert.equal(Array.from({ length: 6 }, () => other.next()).map(numberOf), [1, 2, 3, 4, 5, 6])
})

test('sleeps when the speaker has stopped, which is no loss', () => {
  const one = line()
  one.audio(numbered(1), 3, 323, 8000)
  one.audio(numbered(2), 3, 323, 8000)
  for (let i = 0; i < 4; i++) assert.ok(one.next() !== silence)
  for (let i = 2; i < 10; i++) assert.is(one.next(), silence)
  assert.is(one.next(), null)
  assert.is(one.next(), null)
  assert.equal(one.report(), { dropped: 0, concealed: 0, delayMs: 0 })
})

test('adds less than 60 ms to sound that comes as unevenly as Asterisk sends it, and loses nothing', () => {
  const next = random(11)
  const one = line()
  const arrivals = Array.from({ length: 3000 }, (_, i) => ({ at: i * 20 + next() * 14, number: i }))
  let arrived = 0
  let delivered = 0
  let longest = 0
  for (let slot = 0; slot < 3000; slot++) {
    const now = slot * 20 + 7
    while (arrived < arrivals.length && arrivals[arrived]!.at <= now) {
      const message = numbered(arrived++)
      one.audio(message, 3, 323, 8000)
    }
    const message = one.next()
    if (message === null || message === silence) continue
    delivered++
    longest = Math.max(longest, now - arrivals[numberOf(message)!]!.at)
  }
  assert.ok(longest < 60, `${longest} ms`)
  const { dropped, concealed, delayMs } = one.report()
  assert.is(dropped, 0)
  assert.ok(concealed <= 2, `${concealed} gaps`)
  assert.ok(delayMs <= 40, `${delayMs} ms`)
  assert.ok(delivered >= 2996, `${delivered} frames`)
})

test('cuts other sizes into whole frames without changing a sample', () => {
  const pcm = synth(600, (i) => Math.sin(i / 9) / 3)
  for (const bytes of [160, 480, 640, 276]) {
    const one = line()
    const out: Buffer[] = []
    let slots = 0
    for (let at = 0; at < pcm.length; at += bytes) {
      const end = Math.min(pcm.length, at + bytes)
      one.audio(pcm, at, end, 8000)
      for (; (slots + 1) * 320 <= end; slots++) {
        const message = one.next()
        if (message !== null) out.push(message)
      }
    }
    const heard = Buffer.concat(out.map((message) => message.subarray(3)))
    assert.ok(out.every((message) => message.length === 323))
    assert.is(one.report().dropped, 0)
    assert.ok(heard.length >= pcm.length - 640)
    assert.equal(heard, pcm.subarray(0, heard.length))
  }
})

test('brings other rates and raw µ-law down to frames of 8 kHz', () => {
  const wide = synth(40, (i) => Math.sin(i / 20) / 3, 16000)
  const one = line()
  one.audio(wide, 0, wide.length, 16000)
  const [first, second] = [one.next()!, one.next()!]
  assert.equal([first.length, second.length], [323, 323])
  const expected = Math.round((wide.readInt16LE(40) + wide.readInt16LE(42)) / 2)
  assert.ok(Math.abs(first.readInt16LE(3 + 20) - expected) <= 1)

  const sound = soundOf(capture('dial-ulaw-trap'))
  const coded = line()
  coded.companded('ulaw')
  coded.audio(sound, 0, 320, 8000)
  assert.is(coded.next()!.readInt16LE(3), LAWS.ulaw[sound[0]!])
})

test('ends the frame that a short last packet began', () => {
  const one = line()
  one.audio(
    synth(10, () => 0.5),
    0,
    160,
    8000,
  )
  one.audio(numbered(7), 3, 323, 8000)
  const first = one.next()!
  assert.equal([first.readInt16LE(3), first.readInt16LE(3 + 160)], [16384, 0])
  assert.is(numberOf(one.next()), 7)
})

test('has as long a silence for what must not be heard', () => {
  const one = line()
  one.audio(numbered(1), 3, 323, 8000)
  one.hush(3, 323, 8000)
  assert.is(numberOf(one.next()), 1)
  assert.is(one.next(), silence)
  for (const [bytes, rate] of [
    [160, 8000],
    [640, 16_000],
    [882, 44_100],
  ] as const) {
    const other = line()
    let ms = 0
    for (; ms < 40; ms += (bytes * 500) / rate) other.hush(0, bytes, rate)
    assert.equal([other.next(), other.next()], [silence, silence], `${rate} Hz`)
    assert.is(other.report().dropped, 0)
  }
  const ulaw = line()
  ulaw.companded('ulaw')
  ulaw.hush(0, 160, 8000)
  ulaw.hush(0, 160, 8000)
  assert.equal([ulaw.next(), ulaw.next()], [silence, silence])
})

test('muted, it is silent at once, and passes on nothing that comes meanwhile', () => {
  const one = line()
  one.audio(numbered(1), 3, 323, 8000)
  one.audio(numbered(2), 3, 323, 8000)
  one.mute(true)
  assert.equal([one.next(), one.next()], [silence, silence])
  one.audio(numbered(3), 3, 323, 8000)
  one.mute(true)
  assert.is(one.next(), silence)
  one.mute(false)
  one.audio(numbered(4), 3, 323, 8000)
  assert.is(numberOf(one.next()), 4)
})

test.run()
