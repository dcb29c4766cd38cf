import * as fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Connection } from '../../src/audiosocket/connection.ts'
import { dtmfMessage, HANGUP, KIND, message, RELAYED, uuidMessage } from '../../src/audiosocket/frame.ts'
import { createPacer } from '../../src/audiosocket/pacer.ts'
import { relay } from '../../src/audiosocket/relay.ts'
import { capture, coded, createEar, mute, openPeer, openServer } from '../rig/audiosocket-peer.ts'
import { passTime } from '../rig/clock.ts'
import { eventually, suite } from '../rig/rig.ts'
import { call, noise } from '../rig/simulator-server.ts'
import {
  ID,
  openHangingPort,
  openRawOwner,
  openRelay,
  openWay,
  SPEECH,
  UUID,
  watchWrites,
} from './relay-way.ts'

const test = suite('audiosocket relay')

test('a phone hears and is heard through another node byte for byte, and finds no rule broken', async (t) => {
  passTime(t)
  const pacer = createPacer()
  t.defer(() => pacer.close())
  const heard: Buffer[] = []
  const keys: string[] = []
  const echo = (connection: Connection) => {
    const queue: Buffer[] = []
    connection.attach(
      {
        audio: (bytes, start, end) => {
          heard.push(bytes.subarray(start, end))
          queue.push(bytes.subarray(start - 3, end))
          connection.wake()
        },
        key: (key) => keys.push(key),
        gone: () => {},
      },
      { next: () => queue.shift() ?? null },
    )
  }
  const owner = await openServer(t, { pacer, onConnection: echo })
  const node = await openRelay(t, owner.port)
  const writes = watchWrites(t, node.port)
  const phone = call(t, { port: node.port, id: ID, record: true })
  const words = noise(7, 400)
  await phone.press('42#')
  await phone.say(words)
  await eventually(() => phone.recorded().includes(words) || undefined)
  phone.hangUp()
  const { violations, partialReads } = await phone.ended
  assert.ok(Buffer.concat(heard).includes(words), 'the owner heard something else')
  assert.is(keys.join(''), '42#')
  assert.equal(violations, [])
  assert.is(partialReads, 0)
  assert.equal(new Set(writes.map(({ length }) => length)), new Set([323]))
  const { by, error, stats } = await node.relays[0]!.done
  assert.equal([by, error], ['phone', undefined])
  assert.is(stats.framesOut, writes.length)
  await eventually(() => owner.server.counts().open === 0 || undefined)
  assert.equal([owner.server.counts().refused, node.server.counts().refused], [{}, {}])
})

test('what a real Asterisk sends reaches the owner message by message, in order', async (t) => {
  const told = []
  for (const relayed of [false, true]) {
    const owner = await openServer(t)
    const { port } = relayed ? await openRelay(t, owner.port) : owner
    const [first, ...reads] = capture('visitor-app')
    const peer = await openPeer(t, port)
    peer.socket.write(first!)
    const ear = createEar()
    const connection = await eventually(() => owner.connections[0])
    connection.attach(ear.listener, mute)
    for (const read of reads) {
      peer.socket.write(read)
      await new Promise((resolve) => setImmediate(resolve))
    }
    peer.socket.end()
    await ear.gone
    assert.equal(uuidMessage(connection.id), first!.subarray(0, 19))
    assert.is(connection.relayed, relayed)
    told.push(ear.told)
  }
  assert.is(told[0]!.length, 455 + 4 + 1)
  assert.equal(told[1], told[0])
})

test('what was said before the way was open comes first, and every rate passes as it is', async (t) => {
  const wide = message(KIND.slin16, Buffer.alloc(640, 3))
  const ulaw = message(KIND.slin8, Buffer.alloc(160, 4))
  const { ear, peer } = await openWay(t, {
    said: Buffer.concat([UUID, SPEECH, dtmfMessage('7'), wide, SPEECH.subarray(0, 200)]),
  })
  peer.socket.write(Buffer.concat([SPEECH.subarray(200), ulaw]))
  await eventually(() => ear.told.length === 5 || undefined)
  assert.equal(ear.told, [
    { audio: SPEECH, kind: KIND.slin8 },
    { key: '7' },
    { audio: wide, kind: KIND.slin16 },
    { audio: SPEECH, kind: KIND.slin8 },
    { audio: ulaw, kind: KIND.slin8 },
  ])
})

test('a node that does not take the leg leaves the connection as it was', async (t) => {
  const closed = await openServer(t)
  await closed.server.close()
  const hanging = await openHangingPort(t)
  const cases: [number, string][] = [
    [closed.port, `connect ECONNREFUSED 127.0.0.1:${closed.port}`],
    [hanging, 'it did not accept within 50 ms'],
  ]
  const { port, connections } = await openServer(t)
  const peer = await openPeer(t, port)
  peer.socket.write(Buffer.concat([UUID, SPEECH]))
  const connection = await eventually(() => connections[0])
  for (const [target, reason] of cases) {
    const way = relay({ connection, host: '127.0.0.1', port: target, connectMs: 50 })
    const error = await way.opened.catch((error) => error)
    assert.ok(coded('RELAY_FAILED')(error))
    assert.equal(error.details, { host: '127.0.0.1', port: target, reason })
    assert.is((await way.done).error, error)
    way.close()
    assert.is(connection.state, 'open')
  }
  const owner = await openRawOwner(t)
  const way = relay({ connection, host: '127.0.0.1', port: owner.port, connectMs: 2000 })
  await way.opened
  await eventually(() => owner.asked.length === 3 || undefined)
  assert.equal(owner.asked, [RELAYED, UUID, SPEECH])
  peer.socket.end()
  await way.done
})

test('a leg that was relayed is known to be, and goes no further', async (t) => {
  const { owner, connection } = await openWay(t)
  assert.is(connection.relayed, true)
  const peer = await openPeer(t, owner.port)
  peer.socket.write(Buffer.concat([RELAYED, UUID]))
  const second = await eventually(() => owner.connections[1])
  const way = relay({ connection: second, host: '127.0.0.1', port: owner.port, connectMs: 2000 })
  const error = await way.opened.catch((error) => error)
  assert.ok(coded('RELAY_FAILED')(error))
  assert.is(error.details.reason, 'another node relayed it here')
  assert.is(owner.server.counts().accepted, 2)
  const twice = await openPeer(t, owner.port)
  twice.socket.write(Buffer.concat([RELAYED, RELAYED, UUID]))
  await twice.closed
  assert.equal(owner.server.counts().refused, { HANDSHAKE_INVALID: 1 })
})

test('any cut of the owner’s stream reaches the phone as whole messages in order', async (t) => {
  const owner = await openRawOwner(t)
  const node = await openRelay(t, owner.port)
  const writes = watchWrites(t, node.port)
  const audio = fc
    .tuple(fc.integer({ min: KIND.slin8, max: KIND.slin192 }), fc.integer({ min: 1, max: 400 }), fc.nat(255))
    .map(([kind, samples, fill]) => message(kind, Buffer.alloc(samples * 2, fill)))
  const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 40 })
  const way = fc.asyncProperty(fc.array(audio, { maxLength: 30 }), sizes, async (messages, cuts) => {
    writes.length = 0
    const peer = await openPeer(t, node.port)
    peer.socket.write(UUID)
    const socket = await eventually(() => owner.sockets.pop())
    let rest = Buffer.concat(messages)
    for (const size of cuts) {
      socket.write(rest.subarray(0, size))
      rest = rest.subarray(size)
      // it is read before more comes
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.write(Buffer.concat([rest, HANGUP]))
    await eventually(() => peer.messages.at(-1)?.equals(HANGUP) || undefined)
    peer.socket.end()
    await node.relays.pop()!.done
    assert.equal(writes, [...messages, HANGUP])
    assert.equal(peer.messages, writes)
  })
  await fc.assert(way, { numRuns: 60 })
})

test.run()
