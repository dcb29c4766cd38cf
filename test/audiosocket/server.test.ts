import { pino } from 'pino'
import * as assert from 'uvu/assert'
import { createAllowList } from '../../src/audiosocket/allow-list.ts'
import { KIND, message, NIL_UUID, SILENCE, uuidMessage } from '../../src/audiosocket/frame.ts'
import { createAudioSocketServer } from '../../src/audiosocket/server.ts'
import type { PorteiroError } from '../../src/platform/errors.ts'
import {
  coded,
  createDice,
  createEar,
  createHandPacer,
  mute,
  openPeer,
  openServer,
} from '../rig/audiosocket-peer.ts'
import { holdPort } from '../rig/ports.ts'
import { eventually, suite } from '../rig/rig.ts'

const test = suite('audiosocket server')

const ID = '11111111-1111-4111-8111-111111111111'
const UUID = uuidMessage(ID)

test('a UUID opens a connection that knows its port, entrance and peer', async (t) => {
  const { server, port, connections } = await openServer(t, { role: 'resident', entrance: '7001' })
  const { socket } = await openPeer(t, port)
  socket.write(UUID)
  const connection = await eventually(() => connections[0])
  assert.is(connection.id, ID)
  assert.is(connection.role, 'resident')
  assert.is(connection.entrance, '7001')
  assert.is(connection.remote, `127.0.0.1:${socket.localPort}`)
  assert.is(connection.state, 'open')
  assert.equal(server.counts(), { open: 1, handshaking: 0, accepted: 1, refused: {} })
})

test('a connection without a UUID is closed when its time is over', async (t) => {
  const { server, port, connections } = await openServer(t, { handshakeMs: 30 })
  const silent = await openPeer(t, port)
  const slow = await openPeer(t, port)
  slow.socket.write(UUID.subarray(0, 18))
  await Promise.all([silent.closed, slow.closed])
  await eventually(() => server.counts().refused.HANDSHAKE_TIMEOUT === 2 || undefined)
  assert.is(server.counts().handshaking, 0)
  assert.is(connections.length, 0)
})

test('every first message but a UUID is refused with its code', async (t) => {
  const { server, port, connections } = await openServer(t)
  const cases: [string, Buffer][] = [
    ['HANDSHAKE_INVALID', SILENCE],
    ['HANDSHAKE_INVALID', Buffer.concat([message(KIND.dtmf, Buffer.from('1')), UUID])],
    ['HANDSHAKE_INVALID', message(KIND.hangup, Buffer.alloc(0))],
    ['UUID_NIL', Buffer.concat([uuidMessage(NIL_UUID), SILENCE])],
    ['FRAME_UNKNOWN_KIND', Buffer.from('GET / HTTP/1.1\r\nHost: gate\r\n\r\n')],
    ['FRAME_OVERSIZED', Buffer.from([0x10, 0xff, 0xff])],
    ['FRAME_MALFORMED', Buffer.from([0x01, 0x00, 0x0f])],
    // endless empty headers do not get past the first message either
    ['HANDSHAKE_INVALID', Buffer.alloc(30_000, Buffer.from([0x10, 0, 0]))],
  ]
  const expected: Record<string, number> = {}
  for (const [code, bytes] of cases) {
    const peer = await openPeer(t, port)
    peer.socket.write(bytes)
    await peer.closed
    expected[code] = (expected[code] ?? 0) + 1
  }
  await eventually(() => server.counts().handshaking === 0 || undefined)
  assert.equal(server.counts().refused, expected)
  assert.is(connections.length, 0)
})

test('a UUID in any cut is understood', async (t) => {
  const { port, connections } = await openServer(t)
  const { socket } = await openPeer(t, port)
  for (const byte of UUID) {
    await new Promise<void>((resolve) => socket.write(Buffer.from([byte]), () => resolve()))
  }
  assert.is((await eventually(() => connections[0])).id, ID)
})

test('an address outside the list is closed at once and nothing of it is read', async (t) => {
  const { server, port, connections } = await openServer(t, { allow: ['10.0.0.0/8'] })
  const peer = await openPeer(t, port)
  peer.socket.write(UUID)
  await peer.closed
  assert.equal(server.counts(), { open: 0, handshaking: 0, accepted: 0, refused: { ADDRESS_REFUSED: 1 } })
  assert.is(connections.length, 0)
})

test('the allow list takes CIDRs and bare addresses, and IPv4 inside IPv6', () => {
  const allowed = createAllowList(['127.0.0.0/8', ' 192.168.7.9', 'fd00::/8'])
  for (const address of ['127.3.2.1', '::ffff:127.0.0.1', '192.168.7.9', 'fd12::1'])
    assert.ok(allowed(address))
  for (const address of ['192.168.7.8', '::1', '::ffff:8.8.8.8', 'fe80::1', 'gate', undefined]) {
    assert.not(allowed(address))
  }
  assert.throws(() => createAllowList(['10.0.0.0/33']), coded('CONFIG_INVALID'))
  assert.throws(() => createAllowList(['private']), coded('CONFIG_INVALID'))
})

test('the oldest of too many that wait for their UUID makes room', async (t) => {
  const { server, port, connections } = await openServer(t, { maxHandshakes: 3 })
  const peers = []
  for (let index = 0; index < 5; index++) peers.push(await openPeer(t, port))
  await Promise.all([peers[0]!.closed, peers[1]!.closed])
  assert.is(server.counts().handshaking, 3)
  assert.equal(server.counts().refused, { HANDSHAKE_CROWDED: 2 })
  peers[2]!.socket.write(UUID)
  await eventually(() => connections[0])
})

test('a taken port and a foreign address have different codes', async (t) => {
  const { server } = await openServer(t)
  const { port, release } = await holdPort()
  t.defer(release)
  const fails = async (host: string, wanted: number) => {
    try {
      await server.listen({ host, port: wanted, role: 'visitor' })
    } catch (error) {
      return (error as PorteiroError).code
    }
  }
  assert.is(await fails('127.0.0.1', port), 'PORT_IN_USE')
  assert.is(await fails('203.0.113.7', 0), 'PORT_FORBIDDEN')
})

test('several ports lead to one server, which closes them all', async (t) => {
  const { server, port, connections } = await openServer(t)
  const { port: second } = await server.listen({
    host: '127.0.0.1',
    port: 0,
    role: 'resident',
    entrance: 'b',
  })
  const peers = [await openPeer(t, port), await openPeer(t, second), await openPeer(t, second)]
  peers[0]!.socket.write(UUID)
  peers[1]!.socket.write(UUID)
  await eventually(() => connections.length === 2 || undefined)
  assert.equal(connections.map(({ role }) => role).sort(), ['resident', 'visitor'])
  await server.close()
  await Promise.all(peers.map(({ closed }) => closed))
  await Promise.all(connections.map(({ closed }) => closed))
  assert.equal(server.counts(), { open: 0, handshaking: 0, accepted: 2, refused: {} })
  const late = await openPeer(t, second)
  await late.closed
})

test('refusals are logged five times a code and then only counted', async (t) => {
  const lines: { code: string; more?: number; remote?: string }[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(JSON.parse(line)) })
  const { server, port } = await openServer(t, { log })
  for (let index = 0; index < 12; index++) {
    const peer = await openPeer(t, port)
    peer.socket.write('garbage')
    await peer.closed
  }
  await eventually(() => server.counts().refused.FRAME_UNKNOWN_KIND === 12 || undefined)
  assert.is(lines.length, 5)
  assert.ok(lines.every(({ code, remote }) => code === 'FRAME_UNKNOWN_KIND' && remote !== undefined))
  await server.close()
  assert.is(lines.length, 6)
  assert.is(lines[5]!.more, 7)
})

test('the refusals left of a window are logged when it ends', async (t) => {
  const lines: { more?: number }[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(JSON.parse(line)) })
  const { port } = await openServer(t, { log, rejections: { lines: 1, windowMs: 20 } })
  for (let index = 0; index < 50 && !lines.some(({ more }) => more !== undefined); index++) {
    const peer = await openPeer(t, port)
    peer.socket.write('garbage')
    await peer.closed
  }
  await eventually(() => lines.some(({ more }) => more !== undefined) || undefined)
})

test('a handler that throws costs its own connection only', async (t) => {
  const { server, port } = await openServer(t, {
    onConnection: () => {
      throw new Error('no room')
    },
  })
  const peer = await openPeer(t, port)
  peer.socket.write(UUID)
  await peer.closed
  await eventually(() => server.counts().open === 0 || undefined)
  assert.equal(server.counts().refused, { BUG: 1 })
})

test('3,000 connections of noise leave nothing open, and a call still gets through', async (t) => {
  const seed = Date.now() >>> 0
  const roll = createDice(seed)
  const ears: ReturnType<typeof createEar>[] = []
  const { server, port } = await openServer(t, {
    onConnection: (connection) => {
      const ear = createEar()
      ears.push(ear)
      connection.attach(ear.listener, mute)
    },
  })
  const once = async () => {
    const noise = Buffer.alloc(1 + (roll() % 900))
    for (let at = 0; at < noise.length; at++) noise[at] = roll()
    const peer = await openPeer(t, port)
    if (roll() % 2 === 0) peer.socket.write(UUID)
    peer.socket.write(noise.subarray(0, 5))
    if (roll() % 3 === 0) peer.socket.resetAndDestroy()
    else peer.socket.end(noise.subarray(5))
    await peer.closed
  }
  let left = 3000
  const runner = async () => {
    while (left-- > 0) await once()
  }
  await Promise.all(Array.from({ length: 20 }, runner))
  await eventually(() => server.counts().open + server.counts().handshaking === 0 || undefined)
  const { accepted } = server.counts()
  assert.ok(accepted > 500, `seed ${seed}: ${accepted} had a UUID`)
  assert.is(ears.length, accepted)
  for (const { told } of ears) assert.is(told.filter((fact) => 'gone' in fact).length, 1, `seed ${seed}`)
  const good = await openPeer(t, port)
  good.socket.write(UUID)
  await eventually(() => server.counts().open === 1 || undefined)
})

test('a server that never listened closes', async () => {
  const server = createAudioSocketServer({
    log: pino({ level: 'silent' }),
    pacer: createHandPacer().pacer,
    allow: [],
    onConnection: () => {},
  })
  await server.close()
})

test.run()
