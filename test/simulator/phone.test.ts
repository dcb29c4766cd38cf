import { connect } from 'node:net'
import * as assert from 'uvu/assert'
import { HANGUP, KIND, SILENCE, uuidText } from '../../src/audiosocket/index.ts'
import type { Ended } from '../../src/simulator/transcript.ts'
import { timedSuite } from '../rig/clock.ts'
import { deadPort } from '../rig/ports.ts'
import { call, frames, isAudio, noise, type Peer, serve, soundsOf } from '../rig/simulator-server.ts'

const test = timedSuite('simulator: phone')

const id = '0a0b0c0d-1111-4222-8333-444455556666'
const greeting = noise(1, 300, { lead: 3, trail: 2 })
const farewell = noise(2, 240)
const prompts = soundsOf({ greeting, 'farewell-visitor-denied': farewell })
const codes = ({ violations }: Ended) => violations.map(({ code }) => code)

test('sends its UUID first, with the first frame in the same write, then a frame each 20 ms', async (rig) => {
  const peer = Promise.withResolvers<Peer>()
  const port = await serve(rig, peer.resolve)
  const phone = call(rig, { port, id })
  assert.ok(await phone.connected)
  const { next, messages } = await peer.promise
  const { payload } = await next(KIND.uuid)
  assert.is(uuidText(payload, 0), id)
  for (let count = 0; count < 50; count++) await next(KIND.slin8)
  const audio = messages.filter(isAudio)
  assert.is(audio[0]!.read, 0)
  assert.ok(audio.every((message) => message.payload.length === 320))
  const took = audio[49]!.at - audio[1]!.at
  assert.ok(took > 48 * 20 - 30 && took < 48 * 20 + 60, `48 frames took ${took} ms`)
})

test('can send its first frame apart', async (rig) => {
  const peer = Promise.withResolvers<Peer>()
  const port = await serve(rig, peer.resolve)
  call(rig, { port, joined: false })
  const { next, messages } = await peer.promise
  await next(KIND.slin8)
  assert.ok(messages.find(isAudio)!.read > 0)
})

test('hangs up with a plain FIN', async (rig) => {
  const peer = Promise.withResolvers<Peer>()
  const port = await serve(rig, peer.resolve)
  const phone = call(rig, { port })
  const { next, messages, gone } = await peer.promise
  await next(KIND.slin8)
  phone.hangUp()
  assert.is(await gone, 'fin')
  const outcome = await phone.ended
  assert.is(outcome.by, 'us')
  assert.equal(codes(outcome), [])
  assert.ok(messages.every(({ kind }) => kind !== KIND.hangup))
})

test('can abort the connection instead', async (rig) => {
  const peer = Promise.withResolvers<Peer>()
  const port = await serve(rig, peer.resolve)
  const phone = call(rig, { port })
  const { next, gone } = await peer.promise
  await next(KIND.slin8)
  phone.hangUp({ rst: true })
  assert.is(await gone, 'rst')
  assert.is((await phone.ended).by, 'us')
})

test('closes at 0x00 and says how the call ended', async (rig) => {
  const gone = Promise.withResolvers<string>()
  const port = await serve(rig, async ({ play, socket, gone: left }) => {
    await play([...frames(greeting), ...frames(farewell)])
    await play([SILENCE, SILENCE])
    socket.write(HANGUP)
    left.then(gone.resolve)
  })
  const phone = call(rig, { port, prompts })
  const outcome = await phone.ended
  assert.is(await gone.promise, 'fin')
  assert.is(outcome.by, 'server-hangup')
  assert.equal(outcome.violations, [])
  assert.is(outcome.framesIn, frames(greeting).length + frames(farewell).length + 2)
  assert.is(outcome.goodbye?.prompt, 'farewell-visitor-denied')
  assert.ok(outcome.goodbye?.complete)
  assert.is(outcome.goodbye?.ms, 240)
  // never sooner than it was sent; how much later is the machine's affair
  const { hangupAfterGoodbyeBeganMs: fromGoodbye = 0, hangupAfterLastFrameMs: fromLast = -1 } = outcome
  assert.ok(fromGoodbye > 240, `${fromGoodbye}`)
  assert.ok(fromLast >= 0 && fromLast < fromGoodbye, `${fromLast}`)
  assert.ok(outcome.spacing.p50 > 15, `${outcome.spacing.p50}`)
  assert.is(outcome.spacing.count, outcome.framesIn - 1)
})

test('continuous silence before, between and after prompts is no sound, whatever its length', async (rig) => {
  const idle = (count: number) => Array.from({ length: count }, () => SILENCE)
  const port = await serve(rig, async ({ play, socket }) => {
    await play([...idle(30), ...frames(greeting), ...idle(40), ...frames(farewell), ...idle(30)])
    socket.write(HANGUP)
  })
  const phone = call(rig, { port, prompts })
  const outcome = await phone.ended
  assert.equal(outcome.violations, [])
  assert.equal(
    phone.transcript.flatMap((it) => (it.type === 'heard' ? [[it.prompt, it.complete]] : [])),
    [
      ['greeting', true],
      ['farewell-visitor-denied', true],
    ],
  )
  // the silence after it is 600 ms long; how precisely is the machine's affair
  assert.ok(outcome.hangupAfterLastFrameMs! > 500, `${outcome.hangupAfterLastFrameMs}`)
})

test('a server that only closes is distinguished from one that hangs up', async (rig) => {
  const port = await serve(rig, async ({ play, socket }) => {
    await play([SILENCE])
    socket.end()
  })
  assert.is((await call(rig, { port }).ended).by, 'server-close')
  const abrupt = await serve(rig, async ({ next, socket }) => {
    await next(KIND.uuid)
    socket.resetAndDestroy()
  })
  const outcome = await call(rig, { port: abrupt }).ended
  assert.is(outcome.by, 'server-close')
  assert.match(outcome.reason!, 'ECONNRESET')
})

test('says that nobody listens', async (rig) => {
  const phone = call(rig, { port: await freePort() })
  assert.not(await phone.connected)
  const outcome = await phone.ended
  assert.is(outcome.by, 'refused')
  assert.match(outcome.reason!, 'ECONNREFUSED')
  assert.is(outcome.framesOut, 0)
})

test('awaits utterances in order, earlier ones too', async (rig) => {
  const port = await serve(rig, async ({ play }) => {
    await play([
      ...frames(greeting),
      ...frames(farewell),
      ...frames(greeting).slice(0, 9),
      ...frames(farewell),
    ])
  })
  const phone = call(rig, { port, prompts })
  const farewells = { count: 0 }
  const twice = new Promise<void>((resolve) =>
    phone.on(({ type, ...happening }) => {
      if (type === 'heard' && 'prompt' in happening && happening.prompt !== 'greeting') farewells.count++
      if (farewells.count === 2) resolve()
    }),
  )
  const first = await phone.hearing('greeting')
  await twice
  const whole = await phone.heard('greeting')
  assert.ok(whole.startedAt >= first.startedAt - 60)
  assert.is((await phone.hearing('farewell-visitor-denied')).type, 'hearing')
  await phone.hearing('greeting')
  const cut = await phone.heard(({ prompt, complete }) => prompt === 'greeting' && !complete)
  assert.is(cut.ms, 180)
  await phone.heard(['greeting', 'farewell-visitor-denied'])
  assert.is(await codeOf(phone.heard('greeting', { timeout: 30 })), 'PHONE_TIMEOUT')
  const waiting = codeOf(phone.hearing('greeting'))
  phone.hangUp()
  assert.is(await waiting, 'PHONE_ENDED')
  assert.is(await codeOf(phone.hearing('greeting')), 'PHONE_ENDED')
})

test('an interrupted prompt is over after half a second of nothing', async (rig) => {
  const port = await serve(rig, ({ play }) => play(frames(greeting).slice(0, 10)))
  const phone = call(rig, { port, prompts })
  const { ms, complete } = await phone.heard(() => true)
  assert.is(ms, 200)
  assert.not(complete)
})

test('keeps what it heard, with the pauses', async (rig) => {
  const port = await serve(rig, async ({ play, socket }) => {
    await play(frames(farewell))
    await new Promise((resolve) => setTimeout(resolve, 400))
    await play(frames(farewell))
    socket.write(HANGUP)
  })
  const phone = call(rig, { port, record: true })
  await phone.ended
  const pcm = phone.recorded()
  assert.ok(pcm.subarray(0, farewell.length).equals(farewell))
  assert.ok(pcm.subarray(-farewell.length).equals(farewell))
  const ms = pcm.length / 16
  assert.ok(Math.abs(ms - 880) < 80, `${ms} ms`)
})

test('connects again as the dialplan with Dial does, until the server ends the call', async (rig) => {
  const port = await freePort()
  const seen: string[] = []
  const phone = call(rig, { port, id, reconnect: true, strict: 'dial' })
  const refused = new Promise<void>((resolve) => phone.on(({ type }) => type === 'lost' && resolve()))
  await refused
  let connection = 0
  await serve(
    rig,
    async ({ next, socket }) => {
      seen.push(uuidText((await next(KIND.uuid)).payload, 0))
      if (++connection > 1) return socket.write(HANGUP)
      // a leg that stood for two seconds was a call
      for (let count = 0; count < 105; count++) await next(KIND.slin8)
      socket.destroy()
    },
    port,
  )
  const outcome = await phone.ended
  assert.is(outcome.by, 'server-hangup')
  const again = id.replace(/^(.{14})./, '$18')
  assert.equal(seen, [id, again, again])
  assert.equal(
    phone.transcript.filter(({ type }) => type !== 'ended').map(({ type }) => type),
    ['lost', 'connected', 'lost', 'connected', 'hangup', 'lost', 'connected', 'hangup'],
  )
})

test('a hundred phones at once each say and hear everything', async (rig) => {
  const played: Promise<void>[] = []
  const everyone = Promise.withResolvers<void>()
  const port = await serve(rig, ({ play }) => {
    played.push(play(Array.from({ length: 60 }, () => SILENCE)))
    if (played.length === 100) everyone.resolve()
  })
  const phones = Array.from({ length: 100 }, () => call(rig, { port, prompts }))
  await everyone.promise
  await Promise.all(played)
  for (const phone of phones) phone.hangUp()
  const outcomes = await Promise.all(phones.map(({ ended }) => ended))
  for (const { framesIn, framesOut, by } of outcomes) {
    assert.is(by, 'us')
    assert.is(framesIn, 60)
    assert.ok(framesOut > 50 && framesOut < 90, `${framesOut}`)
  }
})

function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'resolved',
    (error) => error.code,
  )
}

async function freePort(): Promise<number> {
  const port = await deadPort()
  // nobody must answer there
  await new Promise<void>((resolve, reject) => {
    const probe = connect(port, '127.0.0.1', () => reject(new Error(`port ${port} is in use`)))
    probe.on('error', () => resolve())
  })
  return port
}

test.run()
