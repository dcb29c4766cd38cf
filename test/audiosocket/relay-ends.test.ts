import { once } from 'node:events'
import type { Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { dtmfMessage, HANGUP, KIND, message, SILENCE } from '../../src/audiosocket/frame.ts'
import { coded, openPeer } from '../rig/audiosocket-peer.ts'
import { simulateTime } from '../rig/clock.ts'
import { eventually, suite } from '../rig/rig.ts'
import {
  openHangingPort,
  openRawWay,
  openRelay,
  openWay,
  REPLY,
  SPEECH,
  UUID,
  watchWrites,
} from './relay-way.ts'

const test = suite('audiosocket relay, ends')

test('the owner sees a phone leave as it left', async (t) => {
  const cases: [string, string, (socket: Socket) => void][] = [
    ['fin', 'fin', (socket) => socket.end()],
    ['rst', 'rst', (socket) => socket.resetAndDestroy()],
    ['0x00', 'hangup', (socket) => socket.write(HANGUP)],
    ['garbage', 'rst', (socket) => socket.write(Buffer.from('GET / HTTP/1.1'))],
    ['inside a frame', 'fin', (socket) => socket.end(SPEECH.subarray(0, 100))],
  ]
  for (const [name, seen, leave] of cases) {
    const { ear, peer, way, connection } = await openWay(t)
    peer.socket.write(SPEECH)
    await eventually(() => ear.told.length === 1 || undefined)
    leave(peer.socket)
    assert.is(await ear.gone, seen, name)
    const { by, error, stats } = await way.done
    assert.equal([by, error?.code], ['phone', name === 'garbage' ? 'FRAME_UNKNOWN_KIND' : undefined], name)
    assert.is(stats.framesIn, 1)
    assert.equal(ear.told, [
      { audio: SPEECH, kind: KIND.slin8 },
      { gone: seen, code: undefined },
    ])
    await connection.closed
  }
})

test('the hangup of the owner is the last that the phone gets, and the phone’s close goes to the owner', async (t) => {
  const { ear, peer, way, connection } = await openWay(t)
  connection.write(REPLY)
  connection.hangUp()
  await eventually(() => peer.messages.length === 2 || undefined)
  assert.equal(peer.messages, [REPLY, HANGUP])
  peer.socket.write(SPEECH)
  peer.socket.end()
  assert.is(await ear.gone, 'fin')
  const { by, error } = await way.done
  assert.equal([by, error], ['owner', undefined])
  assert.equal(ear.told, [{ gone: 'fin', code: undefined }])
})

test('nothing is written to the phone after the hangup, nor audio of no length', async (t) => {
  const { peer, socket, way } = await openRawWay(t)
  const empty = message(KIND.slin8, Buffer.alloc(0))
  socket.write(Buffer.concat([empty, REPLY, HANGUP, REPLY]))
  await eventually(() => peer.messages.length === 2 || undefined)
  peer.socket.end()
  await way.done
  assert.equal(Buffer.concat(peer.chunks), Buffer.concat([REPLY, HANGUP]))
})

test('an owner that is lost ends the phone with whole messages and 0x00, and the socket after a grace', async (t) => {
  const reason = {
    closed: 'it closed without a hangup',
    reset: 'read ECONNRESET',
    kind: 'it sent a message of kind 0x03',
    garbage: 'AudioSocket message of unknown kind 0x55.',
  }
  const cases: [string, string, (socket: Socket) => void][] = [
    ['FIN', reason.closed, (socket) => socket.end()],
    ['FIN inside a frame', reason.closed, (socket) => socket.end(REPLY.subarray(0, 100))],
    ['RST', reason.reset, (socket) => socket.resetAndDestroy()],
    ['a key', reason.kind, (socket) => socket.write(dtmfMessage('1'))],
    ['garbage', reason.garbage, (socket) => socket.write('U')],
  ]
  for (const [name, why, leave] of cases) {
    const { node, peer, socket, way } = await openRawWay(t, { graceMs: 30 })
    const writes = watchWrites(t, node.port)
    socket.write(REPLY)
    await eventually(() => peer.messages.length === 1 || undefined)
    leave(socket)
    // this phone leaves the closing to us
    await peer.closed
    assert.equal(writes, [REPLY, HANGUP], name)
    assert.equal(Buffer.concat(peer.chunks), Buffer.concat([REPLY, HANGUP]), name)
    const { by, error } = await way.done
    assert.equal([by, error?.code, error?.details.reason], ['owner', 'RELAY_FAILED', why], name)
  }
})

test('a node that took the leg and says nothing is given up; one that is silent aloud is not', async (t) => {
  const clock = simulateTime(t)
  const { peer, socket, way } = await openRawWay(t, { silentMs: 200 })
  for (let sent = 1; sent <= 10; sent++) {
    clock.tick(150)
    socket.write(SILENCE)
    await eventually(() => peer.messages.length === sent || undefined)
  }
  clock.tick(400)
  await eventually(() => peer.messages.at(-1)?.equals(HANGUP) || undefined)
  peer.socket.end()
  const { by, error, stats } = await way.done
  assert.equal([by, error?.details.reason], ['owner', 'nothing came for 200 ms'])
  assert.is(stats.framesOut, 10)
})

test('an owner that does not read is let go, and the phone with it', async (t) => {
  const { peer, socket, way } = await openRawWay(t, { graceMs: 30 })
  socket.pause()
  const speak = () => {
    while (peer.socket.writable && peer.socket.write(SPEECH));
  }
  peer.socket.on('drain', speak)
  speak()
  await peer.closed
  const { by, error, stats } = await way.done
  assert.is(by, 'owner')
  assert.match(String(error?.details.reason), /^it stopped reading; \d+ bytes were waiting$/)
  assert.is(stats.framesOut, 0)
  assert.equal(peer.messages, [HANGUP])
})

test('a phone that does not read is dropped, and the owner gets a reset', async (t) => {
  const { node, peer, socket, way } = await openRawWay(t)
  peer.socket.pause()
  const reset = once(socket, 'error')
  const speak = () => {
    while (socket.writable && socket.write(REPLY));
  }
  socket.on('drain', speak)
  speak()
  const { by, error } = await way.done
  assert.equal([by, error?.code], ['phone', 'PEER_STALLED'])
  assert.equal(node.server.counts().refused, { PEER_STALLED: 1 })
  await reset
  peer.socket.resume()
})

test('close() hangs the phone up and leaves the owner; whoever does not close is closed', async (t) => {
  for (const phoneCloses of [true, false]) {
    const { ear, peer, way } = await openWay(t, { tuning: { graceMs: 30 } })
    way.close()
    way.close()
    await eventually(() => peer.messages.length === 1 || undefined)
    assert.equal(peer.messages, [HANGUP])
    if (phoneCloses) peer.socket.end()
    assert.is(await ear.gone, 'fin')
    const { by, error } = await way.done
    assert.equal([by, error], ['us', undefined])
    await peer.closed
  }
})

test('close() before the way is open ends both', async (t) => {
  const { port, relays } = await openRelay(t, await openHangingPort(t), { graceMs: 30 })
  const peer = await openPeer(t, port)
  peer.socket.write(UUID)
  const way = await eventually(() => relays[0])
  way.close()
  await peer.closed
  assert.equal(peer.messages, [HANGUP])
  assert.ok(coded('RELAY_FAILED')(await way.opened.catch((error) => error)))
  const { by, error } = await way.done
  assert.equal([by, error], ['us', undefined])
})

test('the server’s close ends what it relays', async (t) => {
  const { node, ear, peer, way } = await openWay(t)
  await node.server.close()
  await peer.closed
  assert.is(await ear.gone, 'fin')
  assert.is((await way.done).by, 'us')
})

test.run()
