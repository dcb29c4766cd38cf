import * as assert from 'uvu/assert'
import { audioFrame, KIND, message, SILENCE, uuidMessage } from '../../src/audiosocket/frame.ts'
import { createUpsampler } from '../../src/audiosocket/upsampler.ts'
import { createEar, createHandPacer, openPeer, openServer } from '../rig/audiosocket-peer.ts'
import { random, synth } from '../rig/media-stream.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('the upsampler')

/** Samples by which the sound comes later, at 8 kHz. */
const LATER = 8
const RATES = [16_000, 24_000, 32_000, 48_000, 96_000, 192_000]

const cut = (pcm: Buffer): Buffer[] =>
  Array.from({ length: pcm.length / 320 }, (_, at) => audioFrame(pcm.subarray(at * 320, at * 320 + 320)))
const samplesOf = (frames: readonly Buffer[]): number[] =>
  frames.flatMap((frame) =>
    Array.from({ length: (frame.length - 3) / 2 }, (_, at) => frame.readInt16LE(3 + at * 2)),
  )

test('a tone is the same tone at every multiple of 8 kHz, without a seam between frames', () => {
  for (const hz of [300, 1004, 3000]) {
    const wave = (rate: number) => (i: number) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate)
    const frames = cut(synth(200, wave(8000)))
    for (const rate of RATES) {
      const upsampler = createUpsampler(rate)
      const made = frames.map((frame) => upsampler.of(frame))
      assert.ok(
        made.every((one) => one.length === 3 + (rate / 50) * 2 && one.readUInt16BE(1) === one.length - 3),
      )
      const heard = samplesOf(made)
      const later = (LATER * rate) / 8000
      let worst = 0
      // the tone itself begins with a step
      for (let i = 4 * later; i < heard.length; i++) {
        worst = Math.max(worst, Math.abs(heard[i]! - 32_767 * wave(rate)(i - later)))
      }
      assert.ok(worst < 400, `${hz} Hz at ${rate}: off by ${worst}`)
    }
  }
})

test('the frames of a prompt are made once for all legs, those after other sound anew', () => {
  const next = random(1)
  const [first, second, other] = cut(synth(60, () => next() - 0.5))
  const [one, two] = [createUpsampler(16_000), createUpsampler(16_000)]
  const made = [first!, second!].map((frame) => one.of(frame))
  assert.ok([first!, second!].every((frame, at) => two.of(frame) === made[at]))
  two.of(other!)
  const after = two.of(second!)
  assert.is.not(after, made[1])
  assert.is.not(after.compare(made[1]!), 0)
})

test('a leg hears the rate that it sends, silence too; one of 12 kHz hears 8', async (t) => {
  const frames = [SILENCE, ...cut(synth(100, (i) => Math.sin(i / 5) / 2)), SILENCE]
  for (const { kind, rate, bytes } of [
    { kind: KIND.slin16, rate: 16_000, bytes: 640 },
    { kind: KIND.slin48, rate: 48_000, bytes: 1920 },
    { kind: KIND.slin12, rate: 12_000, bytes: 480 },
  ]) {
    const hand = createHandPacer()
    const { port, connections } = await openServer(t, { pacer: hand.pacer })
    const peer = await openPeer(t, port)
    peer.socket.write(
      Buffer.concat([
        uuidMessage('22222222-2222-4222-8222-222222222222'),
        message(kind, Buffer.alloc(bytes)),
      ]),
    )
    const connection = await eventually(() => connections[0])
    const left = [...frames]
    connection.attach(createEar().listener, { next: () => left.shift() ?? null })
    await eventually(() => connection.rate === rate || undefined)
    for (const _ of frames) hand.slot()
    const upsampler = createUpsampler(rate)
    const wanted = frames.map((frame) => upsampler.of(frame))
    assert.ok(wanted.every((one) => one[0] === (rate === 12_000 ? KIND.slin8 : kind)))
    await eventually(() => peer.messages.length === wanted.length || undefined)
    assert.is(Buffer.concat(peer.messages).compare(Buffer.concat(wanted)), 0)
    connection.destroy()
  }
})

test.run()
