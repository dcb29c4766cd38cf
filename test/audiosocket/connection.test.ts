import { Socket } from 'node:net'
import * as assert from 'uvu/assert'
import { dtmfMessage, HANGUP, KIND, message, SILENCE, uuidMessage } from '../../src/audiosocket/frame.ts'
import { createPacer } from '../../src/audiosocket/pacer.ts'
import type { AudioSocketServerOptions } from '../../src/audiosocket/server.ts'
import { capture, createEar, createHandPacer, mute, openPeer, openServer } from '../rig/audiosocket-peer.ts'
import { eventually, type Rig, suite } from '../rig/rig.ts'

const test = suite('audiosocket connection')

const ID = '22222222-2222-4222-8222-222222222222'
const UUID = uuidMessage(ID)
const SPEECH = message(KIND.slin8, Buffer.alloc(320, 0x11))

/** A peer that has sent its UUID, and the connection it became, not yet attached. */
async function pair(t: Rig, options: Partial<AudioSocketServerOptions> = {}, first: Buffer = UUID) {
  const { server, port, connections } = await openServer(t, options)
  const peer = await openPeer(t, port)
  peer.socket.write(first)
  const connection = await eventually(() => connections[0])
  return { server, port, peer, connection }
}

test('audio that shared the read of the UUID waits for its listener', async (t) => {
  const first = Buffer.concat([UUID, SPEECH, dtmfMessage('7'), SPEECH.subarray(0, 200)])
  const { peer, connection } = await pair(t, {}, first)
  peer.socket.write(SPEECH.subarray(200))
  const ear = createEar()
  connection.attach(ear.listener, mute)
  assert.equal(ear.told, [], 'nothing is told before the caller has finished')
  await eventually(() => ear.told.length === 3 || undefined)
  assert.equal(ear.told, [{ audio: SPEECH, kind: 0x10 }, { key: '7' }, { audio: SPEECH, kind: 0x10 }])
})

test('a key that no telephone has is ignored and counted, and the call goes on', async (t) => {
  const { peer, connection, server } = await pair(t)
  const ear = createEar()
  connection.attach(ear.listener, mute)
  const strange = ['E', '!', '\0'].map((key) => message(KIND.dtmf, Buffer.from(key)))
  peer.socket.write(Buffer.concat([...strange, dtmfMessage('5'), SPEECH]))
  await eventually(() => ear.told.length === 2 || undefined)
  assert.equal(ear.told, [{ key: '5' }, { audio: SPEECH, kind: 0x10 }])
  assert.is(connection.state, 'open')
  assert.equal(server.counts().refused, { FRAME_KEY_UNKNOWN: 3 })
})

test('data before there is a listener is bounded, and none of it is lost', async (t) => {
  const { peer, connection } = await pair(t)
  const count = 10_000
  for (let index = 0; index < count; index++) peer.socket.write(SPEECH)
  // the peer's own buffer stops emptying once the kernel's are full and nobody reads
  let waiting = -1
  await eventually(() => {
    const settled = waiting === connection.stats().bytesIn
    waiting = connection.stats().bytesIn
    return settled || undefined
  })
  assert.ok(waiting < 256 * 1024, `${waiting} bytes were read`)
  const ear = createEar()
  connection.attach(ear.listener, mute)
  peer.socket.end()
  assert.is(await ear.gone, 'fin')
  assert.is(ear.told.length, count + 1)
})

test('a listener that attaches late learns that the peer has left', async (t) => {
  const { peer, connection } = await pair(t, {}, Buffer.concat([UUID, SPEECH]))
  peer.socket.end(dtmfMessage('1'))
  await new Promise((resolve) => peer.socket.once('finish', resolve))
  const ear = createEar()
  connection.attach(ear.listener, mute)
  assert.is(await ear.gone, 'fin')
  assert.equal(ear.told, [{ audio: SPEECH, kind: 0x10 }, { key: '1' }, { gone: 'fin', code: undefined }])
  await connection.closed
})

test('audio that is read lets a frame that is nearly due leave in the same turn; a key does not', async (t) => {
  const { pacer, touches } = createHandPacer()
  const { peer, connection } = await pair(t, { pacer })
  const ear = createEar()
  connection.attach(ear.listener, mute)
  peer.socket.write(Buffer.concat([SPEECH, dtmfMessage('1'), SPEECH]))
  await eventually(() => ear.told.length === 3 || undefined)
  assert.is(touches(), 2)
})

test('the rate is that of the last audio, and empty audio is not heard', async (t) => {
  const { peer, connection } = await pair(t)
  assert.is(connection.rate, 8000)
  const ear = createEar()
  connection.attach(ear.listener, mute)
  const wide = message(KIND.slin16, Buffer.alloc(640))
  peer.socket.write(Buffer.concat([message(KIND.slin8, Buffer.alloc(0)), wide]))
  await eventually(() => ear.told.length > 0 || undefined)
  assert.equal(ear.told, [{ audio: wide, kind: KIND.slin16 }])
  assert.is(connection.rate, 16000)
})

test('a call of a real Asterisk is heard whole', async (t) => {
  const reads = capture('visitor-app')
  const { peer, connection } = await pair(t, {}, reads[0]!)
  const ear = createEar()
  connection.attach(ear.listener, mute)
  for (const read of reads.slice(1)) peer.socket.write(read)
  peer.socket.end()
  assert.is(await ear.gone, 'fin')
  const keys = ear.told.flatMap((fact) => ('key' in fact ? [fact.key] : []))
  assert.is(keys.join(''), '101#')
  assert.is(ear.told.filter((fact) => 'audio' in fact).length, 455)
  const sent = Buffer.concat(reads).length
  assert.equal(connection.stats(), { framesIn: 455, framesOut: 0, bytesIn: sent, bytesOut: 0 })
})

test('FIN and RST at every byte of a frame end it once, as what they were', async (t) => {
  const { server, port, connections } = await openServer(t)
  const whole = Buffer.concat([UUID, SPEECH])
  const leaveAfter = async (length: number, how: 'fin' | 'rst') => {
    const peer = await openPeer(t, port)
    const source = `127.0.0.1:${peer.socket.localPort}`
    if (length > 0) peer.socket.write(whole.subarray(0, length))
    const ear = createEar()
    if (length >= UUID.length) {
      const connection = await eventually(() => connections.find(({ remote }) => remote === source))
      connection.attach(ear.listener, mute)
      if (how === 'rst') {
        // a reset throws away what the peer has sent and we have not read
        await eventually(() => connection.stats().bytesIn === length || undefined)
        peer.socket.resetAndDestroy()
      } else peer.socket.end()
      assert.is(await ear.gone, how, `${how} after ${length}`)
      await connection.closed
      // another peer may come from the same port
      connections.splice(connections.indexOf(connection), 1)
      const heard = length === whole.length ? 1 : 0
      assert.is(ear.told.length, heard + 1, `${how} after ${length}`)
    } else if (how === 'rst') peer.socket.resetAndDestroy()
    else peer.socket.end()
    await peer.closed
  }
  for (let length = 0; length <= whole.length; length += 10) {
    const group = []
    for (let next = length; next < length + 10 && next <= whole.length; next++) {
      group.push(leaveAfter(next, 'fin'), leaveAfter(next, 'rst'))
    }
    await Promise.all(group)
  }
  await eventually(() => server.counts().open + server.counts().handshaking === 0 || undefined)
  const { accepted, refused } = server.counts()
  assert.is(accepted, 2 * (whole.length - UUID.length + 1))
  assert.equal(refused, { HANDSHAKE_ABANDONED: 2 * UUID.length })
})

test('each way a peer can end is reported by name, once, and closes the socket', async (t) => {
  const cases: [Buffer, string, string | undefined][] = [
    [HANGUP, 'hangup', undefined],
    [Buffer.concat([HANGUP, Buffer.from('garbage')]), 'hangup', undefined],
    [UUID, 'error', 'UUID_REPEATED'],
    [message(KIND.error, Buffer.from([4])), 'error', 'PEER_ERROR'],
    [Buffer.from([0x55]), 'error', 'FRAME_UNKNOWN_KIND'],
    [Buffer.from([0x10, 0xff, 0xfe]), 'error', 'FRAME_OVERSIZED'],
    [Buffer.alloc(3 * 51, Buffer.from([0x10, 0, 0])), 'error', 'FRAME_EMPTY'],
  ]
  for (const [bytes, how, code] of cases) {
    const { server, peer, connection } = await pair(t)
    const ear = createEar()
    connection.attach(ear.listener, mute)
    peer.socket.write(Buffer.concat([bytes, SPEECH]))
    await Promise.all([peer.closed, connection.closed])
    assert.equal(ear.told, [{ gone: how, code }])
    assert.is(connection.state, 'closed')
    assert.equal(server.counts().refused, code === undefined ? {} : { [code]: 1 })
    assert.is(server.counts().open, 0)
  }
})

test('every frame leaves in one write of its own', async (t) => {
  const pacer = createPacer({ idle: 'keepalive' })
  t.defer(() => pacer.close())
  const { port, peer, connection } = await pair(t, { pacer })
  const writes: number[] = []
  const original = Socket.prototype.write
  t.defer(() => {
    Socket.prototype.write = original
  })
  Socket.prototype.write = function (this: Socket, ...args: Parameters<typeof original>) {
    if (this.localPort === port) writes.push((args[0] as Buffer).length)
    return original.apply(this, args)
  } as typeof original
  let left = 15
  connection.attach(createEar().listener, { next: () => (left-- > 0 ? SPEECH : null) })
  await eventually(() => peer.messages.length === 15 || undefined)
  assert.equal(writes, new Array(15).fill(323))
  for (const chunk of peer.chunks) assert.is(chunk.length % 323, 0, 'a read ended inside a frame')
  assert.is(connection.stats().framesOut, 15)
  assert.is(connection.stats().bytesOut, 15 * 323)
  connection.destroy()
})

test('the hangup is the last message, in one write, and the socket is read until the peer closes', async (t) => {
  const hand = createHandPacer()
  const { peer, connection } = await pair(t, { pacer: hand.pacer })
  const ear = createEar()
  connection.attach(ear.listener, { next: () => SPEECH })
  hand.slot()
  hand.slot()
  connection.hangUp()
  connection.hangUp()
  hand.slot()
  assert.is(connection.state, 'hangingUp')
  assert.is(hand.tracks.size, 0)
  await eventually(() => peer.messages.length === 3 || undefined)
  assert.equal(peer.messages, [SPEECH, SPEECH, HANGUP])
  peer.socket.write(Buffer.concat([SPEECH, dtmfMessage('2')]))
  peer.socket.end()
  assert.is(await ear.gone, 'fin')
  assert.equal(ear.told, [{ gone: 'fin', code: undefined }], 'audio after the hangup is nobody’s')
  await connection.closed
  assert.is(peer.messages.length, 3)
})

test('a connection nobody attached to can be hung up', async (t) => {
  const { peer, connection } = await pair(t, {}, Buffer.concat([UUID, SPEECH]))
  connection.hangUp()
  await eventually(() => peer.messages.length === 1 || undefined)
  assert.equal(peer.messages, [HANGUP])
  peer.socket.end()
  await connection.closed
})

test('after destroy() nothing is reported and the peer is closed', async (t) => {
  const hand = createHandPacer()
  const { peer, connection } = await pair(t, { pacer: hand.pacer }, Buffer.concat([UUID, SPEECH]))
  const ear = createEar()
  connection.attach(ear.listener, mute)
  connection.destroy()
  connection.destroy()
  connection.hangUp()
  connection.wake()
  await Promise.all([connection.closed, peer.closed])
  assert.equal(ear.told, [])
  assert.is(hand.tracks.size, 0)
})

test('a peer that stops reading is let go when a second of audio waits', async (t) => {
  const hand = createHandPacer()
  const { server, peer, connection } = await pair(t, { pacer: hand.pacer })
  const ear = createEar()
  connection.attach(ear.listener, { next: () => SPEECH })
  peer.socket.pause()
  for (let slot = 0; slot < 200_000 && connection.state === 'open'; slot++) {
    hand.slot()
    // lets the kernel take what it can, as the 20 ms between two frames would
    if (slot % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  assert.is(await ear.gone, 'error')
  assert.equal(ear.told, [{ gone: 'error', code: 'PEER_STALLED' }])
  assert.equal(server.counts().refused, { PEER_STALLED: 1 })
  await connection.closed
  peer.socket.resume()
})

test('a listener or a source that throws ends its own connection', async (t) => {
  const hand = createHandPacer()
  const { server, port, connections } = await openServer(t, { pacer: hand.pacer })
  const ends: string[] = []
  for (const culprit of ['audio', 'key', 'next', 'gone']) {
    const peer = await openPeer(t, port)
    peer.socket.write(UUID)
    const connection = await eventually(() => connections[0])
    connections.length = 0
    const blame = (name: string) => {
      if (name === culprit) throw new Error(name)
    }
    connection.attach(
      {
        audio: () => blame('audio'),
        key: () => blame('key'),
        gone: (how) => {
          ends.push(`${culprit}: ${how}`)
          blame('gone')
        },
      },
      {
        next: () => {
          blame('next')
          return null
        },
      },
    )
    peer.socket.write(Buffer.concat([SPEECH, SPEECH, dtmfMessage('1')]))
    if (culprit === 'gone') peer.socket.end()
    hand.slot()
    await Promise.all([connection.closed, peer.closed])
  }
  assert.equal(ends, ['audio: error', 'key: error', 'next: error', 'gone: fin'])
  assert.equal(server.counts().refused, { BUG: 4 })
})

test('an attached connection keeps the PBX from dropping it with silence', async (t) => {
  const pacer = createPacer()
  t.defer(() => pacer.close())
  const { peer, connection } = await pair(t, { pacer })
  connection.attach(createEar().listener, mute)
  await eventually(() => peer.messages.length >= 5 || undefined)
  for (const message of peer.messages) assert.equal(message, SILENCE)
  connection.destroy()
})

test.run()
