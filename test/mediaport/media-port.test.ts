import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { readWav } from '../../src/media/index.ts'
import { PACKAGE_ROOT } from '../../src/platform/package.ts'
import { keysIn, openRawOwner } from '../audiosocket/relay-way.ts'
import { openPort } from '../rig/media-port-rig.ts'
import { addNoise, silence } from '../rig/media-stream.ts'
import { utterances } from '../rig/noisy-speech.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('media port')

const spoken = (await utterances())[0]!.pcm
test('each answer carries the number of its command, also when that was cancelled or interrupted', async (rig) => {
  const { arrive } = await openPort(rig)
  const visitor = arrive('visitor')
  const media = visitor.open()
  media.send({ type: 'say', id: 7, pieces: [{ pause: 200 }] })
  visitor.take(3)
  media.send({ type: 'cancel', id: 7 })
  media.send({ type: 'say', id: 8, pieces: [{ pause: 100 }] })
  media.send({ type: 'say', id: 9, pieces: [{ pause: 40 }] })
  visitor.take(3)
  await eventually(() => visitor.facts.filter(({ type }) => type === 'said').length === 3 || undefined)
  assert.equal(
    visitor.facts.flatMap((fact) =>
      fact.type === 'said' ? [[fact.id, fact.ms, fact.of, fact.interrupted]] : [],
    ),
    [
      [7, 60, 200, true],
      [8, 0, 100, true],
      [9, 40, 40, false],
    ],
  )
})

test("an utterance that cannot be said fails with its command's number and a code", async (rig) => {
  const { arrive } = await openPort(rig)
  const visitor = arrive('visitor')
  visitor.open().send({ type: 'say', id: 1, pieces: ['no-such-prompt'] })
  const { id, code } = await visitor.fact('failed')
  assert.equal([id, code], [1, 'PROMPT_MISSING'])
})

test('what a resident pressed while their leg was held goes with it to the node of the call', async (rig) => {
  const owner = await openRawOwner(rig)
  const { arrive, port } = await openPort(rig)
  const resident = arrive('resident')
  port.hold(resident.arrived.leg, 'pt-BR')
  resident.press('1')
  port.relay(resident.arrived.leg, `127.0.0.1:${owner.port}`)
  resident.press('2')
  const keys = await eventually(() => {
    const pressed = keysIn(owner.asked)
    return pressed.length === 2 ? pressed : undefined
  })
  assert.equal(keys, ['1', '2'])
})

test('own words are a file, else a text, else the prompt that they replace', async (rig) => {
  const { arrive, lines } = await openPort(rig)
  const visitor = arrive('visitor')
  const media = visitor.open()
  const file = join(PACKAGE_ROOT, 'prompts', 'en', 'press-one.wav')
  const ms = Math.ceil((await readWav(file)).length / 320) * 20
  media.send({ type: 'say', id: 1, pieces: [{ instead: 'greeting', file, text: 'Oi.' }] })
  const saying = () => eventually(() => visitor.facts.filter(({ type }) => type === 'saying')[said.length])
  const said: number[] = []
  const play = async () => {
    await saying()
    visitor.take(1)
    media.send({ type: 'cancel', id: said.length + 1 })
    const fact = await eventually(() => visitor.facts.filter(({ type }) => type === 'said')[said.length])
    said.push((fact as { of: number }).of)
  }
  await play()
  // this port synthesises nothing
  media.send({ type: 'say', id: 2, pieces: [{ instead: 'greeting', file: '/none.wav', text: 'Oi.' }] })
  await play()
  media.send({ type: 'say', id: 3, pieces: ['greeting'] })
  await play()
  assert.is(said[0], ms)
  assert.is(said[1], said[2])
  assert.ok(lines.some(({ name }) => name === '/none.wav'))
})

test('the sound of an utterance stays behind the port: kept by its number, it is said to the other leg', async (rig) => {
  const { arrive } = await openPort(rig)
  const [visitor, resident] = [arrive('visitor'), arrive('resident')]
  const media = visitor.open()
  media.send({ type: 'listen', id: 1, silenceMs: 600, maxMs: 10_000 })
  visitor.speak(Buffer.concat([silence(500), spoken, silence(1500)]))
  const { id, text, ms } = await visitor.fact('transcribed')
  assert.equal([id, text], [1, 'sim'])
  assert.ok(ms > 0)

  media.send({ type: 'listen', id: 3, silenceMs: 600, maxMs: 10_000, follows: { of: 1, quietMs: 3000 } })
  visitor.speak(silence(3000))
  const rest = await eventually(() =>
    visitor.facts.find((fact) => fact.type === 'transcribed' && fact.id === 3),
  )
  const nothing = { text: '', complete: true, interrupts: false, ms: 0 }
  assert.equal(rest, { type: 'transcribed', id: 3, ...nothing }, 'nobody went on')

  media.send({ type: 'keep', of: 2, name: 'purpose' })
  media.send({ type: 'keep', of: 1, name: 'identity' })
  media.send({ type: 'forget', of: 1 })
  media.send({ type: 'keep', of: 1, name: 'purpose' })
  assert.equal(
    visitor.facts.flatMap((fact) => (fact.type === 'kept' ? [fact.name] : [])),
    ['identity'],
  )
  resident.open().send({ type: 'say', id: 1, pieces: [{ recording: 'identity' }, { recording: 'purpose' }] })
  resident.take(ms / 20 + 1)
  assert.is((await resident.fact('said')).of, ms)
})

test('the recordings of a forgotten call are loaded again from the disk, those that exist', async (rig) => {
  const { port, callId, arrive } = await openPort(rig)
  const visitor = arrive('visitor')
  const media = visitor.open()
  media.send({ type: 'record', id: 1, name: 'identity' })
  visitor.speak(Buffer.concat([silence(500), spoken, silence(2000)]))
  await visitor.fact('kept')
  port.forgetCall(callId)
  const loaded = await eventually(async () => {
    const names = await port.loadRecordings(callId, ['identity', 'purpose'])
    return names.length > 0 ? names : undefined
  })
  assert.equal(loaded, ['identity'])
})

test('in a bridge each leg hears the other, and both report their losses afterwards', async (rig) => {
  const { arrive } = await openPort(rig)
  const [visitor, resident] = [arrive('visitor'), arrive('resident')]
  const media = visitor.open()
  resident.open()
  media.send({ type: 'bridge', id: 1, other: resident.arrived.leg })
  visitor.speak(addNoise(silence(200), -20))
  assert.not.ok(visitor.facts.some(({ type }) => type === 'bridged'))
  media.send({ type: 'cancel', id: 1 })
  assert.is((await visitor.fact('bridged')).dropped, 4)
  assert.is((await resident.fact('bridged')).dropped, 0)
})

test('facts are plain data, and the last two are closed and released', async (rig) => {
  const { arrive } = await openPort(rig)
  const visitor = arrive('visitor')
  const media = visitor.open()
  media.send({ type: 'say', id: 1, pieces: ['trying-again'] })
  media.send({ type: 'record', id: 2, name: 'identity' })
  visitor.speak(Buffer.concat([silence(500), spoken, silence(2000)]))
  media.send({ type: 'close' })
  await visitor.fact('released')
  await visitor.fact('said')
  assert.equal(JSON.parse(JSON.stringify([visitor.arrived, visitor.facts])), [
    { leg: 1, uuid: visitor.connection.id, role: 'visitor', remote: 'peer:1', relayed: false },
    visitor.facts,
  ])
  assert.equal(
    visitor.facts.filter(({ type }) => ['hungUp', 'closed', 'released'].includes(type)),
    [
      { type: 'hungUp', how: 'us' },
      { type: 'closed', framesIn: 1, framesOut: 2, bytesIn: 3, bytesOut: 4 },
      { type: 'released', recordedMs: null },
    ],
  )
})

test('an arrived leg is taken once; one whose call broke is still hung up', async (rig) => {
  const { port, arrive } = await openPort(rig)
  const visitor = arrive('visitor')
  visitor.open()
  assert.throws(
    () => visitor.open(),
    ({ code }: { code?: string }) => code === 'BUG',
  )
  port.reject(visitor.arrived.leg)
  assert.equal(visitor.did, ['hangUp'])
})

test.run()
