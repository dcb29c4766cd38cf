import * as assert from 'uvu/assert'
import { KIND } from '../../src/audiosocket/index.ts'
import type { Happening } from '../../src/simulator/transcript.ts'
import { timedSuite } from '../rig/clock.ts'
import { call, isAudio, noise, type Peer, serve } from '../rig/simulator-server.ts'

const test = timedSuite('simulator: microphone')

const id = '0a0b0c0d-1111-4222-8333-444455556666'

test('sends keys 200 ms apart, each at its end, and no frames in between', async (rig) => {
  const peer = Promise.withResolvers<Peer>()
  const port = await serve(rig, peer.resolve)
  const phone = call(rig, { port })
  const { next, messages } = await peer.promise
  await next(KIND.slin8)
  await phone.press('10#')
  await next(KIND.dtmf)
  await next(KIND.dtmf)
  const last = await next(KIND.dtmf)
  const after = await next(KIND.slin8)
  const keys = messages.filter(({ kind }) => kind === KIND.dtmf)
  assert.is(keys.map(({ payload }) => payload.toString()).join(''), '10#')
  const first = messages.indexOf(keys[0]!)
  assert.equal(
    messages.slice(first, first + 3).map(({ kind }) => kind),
    [KIND.dtmf, KIND.dtmf, KIND.dtmf],
  )
  const near = (ms: number, wanted: number) => assert.ok(Math.abs(ms - wanted) < 40, `${ms} for ${wanted} ms`)
  near(keys[1]!.at - keys[0]!.at, 200)
  near(last.at - keys[1]!.at, 200)
  near(after.at - last.at, 100)
  near(keys[0]!.at - messages[first - 1]!.at, 200)
})

test('presses keys in the audio where the PBX is old', async (rig) => {
  const peer = Promise.withResolvers<Peer>()
  const port = await serve(rig, peer.resolve)
  const phone = call(rig, { port, inband: true })
  const { next, messages } = await peer.promise
  await next(KIND.slin8)
  const before = messages.length
  await phone.press('5')
  await next(KIND.slin8)
  phone.hangUp()
  await phone.ended
  assert.ok(messages.every(({ kind }) => kind !== KIND.dtmf))
  const heard = Buffer.concat(messages.slice(before).map(({ payload }) => payload))
  const energy = (hertz: number) => {
    let [sine, cosine] = [0, 0]
    for (let index = 0; index < heard.length / 2; index++) {
      const turn = (2 * Math.PI * hertz * index) / 8000
      sine += heard.readInt16LE(index * 2) * Math.sin(turn)
      cosine += heard.readInt16LE(index * 2) * Math.cos(turn)
    }
    return Math.hypot(sine, cosine)
  }
  for (const hertz of [697, 852, 941]) assert.ok(energy(770) > 10 * energy(hertz), `row ${hertz}`)
  for (const hertz of [1209, 1477, 1633]) assert.ok(energy(1336) > 10 * energy(hertz), `column ${hertz}`)
})

test('speaks in frames, the last one short as the last of a file', async (rig) => {
  const peer = Promise.withResolvers<Peer>()
  const port = await serve(rig, peer.resolve)
  const phone = call(rig, { port })
  const { next, messages } = await peer.promise
  await next(KIND.slin8)
  const speech = noise(3, 100).subarray(0, 320 * 4 + 276)
  await phone.say(speech)
  await next(KIND.slin8)
  phone.hangUp()
  await phone.ended
  const audio = messages.filter(isAudio).map(({ payload }) => payload)
  const sizes = audio.map(({ length }) => length)
  const last = sizes.indexOf(276)
  assert.ok(last > 3)
  assert.equal(
    sizes.filter((size) => size !== 320),
    [276],
  )
  assert.ok(Buffer.concat(audio.slice(last - 4, last + 1)).equals(speech))
  const spoke = phone.transcript.find(({ type }) => type === 'spoke') as Extract<Happening, { type: 'spoke' }>
  assert.is(spoke.ms, Math.round(speech.length / 16))
})

test('unpaced, it says everything at once', async (rig) => {
  const peer = Promise.withResolvers<Peer>()
  const port = await serve(rig, peer.resolve)
  const phone = call(rig, { port, id, pace: false })
  const speech = noise(4, 5000)
  await phone.say(speech)
  await phone.press('1')
  const { next, messages } = await peer.promise
  await next(KIND.dtmf)
  assert.ok(Buffer.concat(messages.filter(isAudio).map(({ payload }) => payload)).equals(speech))
  assert.is(messages[0]!.kind, KIND.uuid)
})

test.run()
