import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import {
  audioFrame,
  dtmfMessage,
  HANGUP,
  KIND,
  message,
  rateOf,
  SILENCE,
  uuidMessage,
  uuidText,
} from '../../src/audiosocket/frame.ts'
import { coded } from '../rig/audiosocket-peer.ts'
import { suite } from '../rig/rig.ts'

const test = suite('audiosocket frames')

test('20 ms of audio become 323 bytes with a big-endian length', () => {
  const pcm = Buffer.alloc(320, 7)
  const whole = audioFrame(pcm)
  assert.equal(whole, Buffer.concat([Buffer.from([0x10, 0x01, 0x40]), pcm]))
})

test('a frame of any other size than 20 ms is refused', () => {
  for (const size of [0, 160, 319, 321, 640]) {
    assert.throws(() => audioFrame(Buffer.alloc(size)), coded('FRAME_MALFORMED'))
  }
})

test('a frame is a copy: changes of its PCM do not reach the prompt', () => {
  const pcm = Buffer.alloc(320, 1)
  const whole = audioFrame(pcm)
  pcm.fill(9)
  assert.is(whole[3], 1)
})

test('silence and hangup are whole messages', () => {
  assert.equal(HANGUP, Buffer.from([0, 0, 0]))
  assert.equal(SILENCE, Buffer.concat([Buffer.from([0x10, 0x01, 0x40]), Buffer.alloc(320)]))
})

test('the rates are those of Asterisk, and only audio has one', () => {
  const rates = new Map<number, number | undefined>([
    [KIND.slin8, 8000],
    [KIND.slin12, 12000],
    [KIND.slin16, 16000],
    [KIND.slin24, 24000],
    [KIND.slin32, 32000],
    [KIND.slin44, 44100],
    [KIND.slin48, 48000],
    [KIND.slin96, 96000],
    [KIND.slin192, 192000],
  ])
  for (let kind = 0; kind <= 0xff; kind++) assert.is(rateOf(kind), rates.get(kind))
})

test('a UUID survives the wire', () => {
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      const whole = uuidMessage(id)
      assert.is(whole.length, 19)
      assert.is(uuidText(whole, 3), id)
      assert.equal(uuidMessage(id.toUpperCase()), whole)
    }),
  )
})

test('invalid UUIDs, keys and payloads are refused', () => {
  for (const id of [
    '',
    'x',
    '1111',
    '11111111111141118111111111111111',
    '1111111-11111-4111-8111-111111111111',
  ]) {
    assert.throws(() => uuidMessage(id), coded('FRAME_MALFORMED'))
  }
  for (const key of ['', '10', 'a', 'E', ' ', 'ñ', '\u0131']) {
    assert.throws(() => dtmfMessage(key), coded('FRAME_MALFORMED'))
  }
  assert.throws(() => message(KIND.slin8, Buffer.alloc(0x10000)), coded('FRAME_OVERSIZED'))
})

test('every key of a telephone has a message', () => {
  for (const key of '0123456789ABCD*#') assert.equal(dtmfMessage(key), Buffer.from(`\x03\x00\x01${key}`))
})

test.run()
