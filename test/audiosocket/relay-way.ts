import { once } from 'node:events'
import { createServer, Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { KIND, message, uuidMessage } from '../../src/audiosocket/frame.ts'
import { createReader } from '../../src/audiosocket/reader.ts'
import { type Relay, type RelayOptions, relay } from '../../src/audiosocket/relay.ts'
import { createEar, openPeer, openServer } from '../rig/audiosocket-peer.ts'
import { eventually, type Rig } from '../rig/rig.ts'

export const ID = '55555555-5555-4555-8555-555555555555'
export const UUID = uuidMessage(ID)
export const SPEECH = message(KIND.slin8, Buffer.alloc(320, 0x11))
export const REPLY = message(KIND.slin8, Buffer.alloc(320, 0x22))

type Tuning = Partial<Pick<RelayOptions, 'connectMs' | 'graceMs' | 'silentMs'>>

/** A node that relays every leg to `port`. */
export async function openRelay(t: Rig, port: number, tuning: Tuning = {}) {
  const relays: Relay[] = []
  const node = await openServer(t, {
    onConnection: (connection) =>
      relays.push(relay({ connection, host: '127.0.0.1', port, connectMs: 2000, ...tuning })),
  })
  return { ...node, relays }
}

/** A phone, the node it came to, and the node that has its call. */
export async function openWay(t: Rig, { tuning, said = UUID }: { tuning?: Tuning; said?: Buffer } = {}) {
  const owner = await openServer(t)
  const node = await openRelay(t, owner.port, tuning)
  const peer = await openPeer(t, node.port)
  peer.socket.write(said)
  const ear = createEar()
  const connection = await eventually(() => owner.connections[0])
  connection.attach(ear.listener)
  return { owner, node, peer, ear, connection, way: node.relays[0]! }
}

/** The same with an owner whose bytes the test writes itself. */
export async function openRawWay(t: Rig, tuning?: Tuning) {
  const owner = await openRawOwner(t)
  const node = await openRelay(t, owner.port, tuning)
  const peer = await openPeer(t, node.port)
  peer.socket.write(UUID)
  const socket = await eventually(() => owner.sockets[0])
  return { node, peer, socket, way: node.relays[0]! }
}

/** `asked` are the messages that came to it. */
export async function openRawOwner(t: Rig) {
  const sockets: Socket[] = []
  const asked: Buffer[] = []
  const server = createServer({ noDelay: true }, (socket) => {
    const reader = createReader((_, bytes, start, end) => asked.push(bytes.subarray(start - 3, end)))
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => {})
    sockets.push(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.defer(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as { port: number }).port, sockets, asked }
}

/** The keys among these messages. */
export function keysIn(asked: readonly Buffer[]): string[] {
  return asked.flatMap((one) => (one[0] === KIND.dtmf ? [one.toString('latin1', 3)] : []))
}

/** What is written to sockets of this local port, until the test ends. */
export function watchWrites(t: Rig, port: number): Buffer[] {
  const writes: Buffer[] = []
  const original = Socket.prototype.write
  t.defer(() => {
    Socket.prototype.write = original
  })
  Socket.prototype.write = function (this: Socket, ...args: Parameters<typeof original>) {
    if (this.localPort === port) writes.push(args[0] as Buffer)
    return original.apply(this, args)
  } as typeof original
  return writes
}

/** A port of a process that has gone deaf: its queue is full, and whoever connects waits. */
export async function openHangingPort(t: Rig): Promise<number> {
  const deaf = new Worker(
    `const { parentPort } = require('node:worker_threads')
     const server = require('node:net').createServer()
     server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port)
       setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
     })`,
    { eval: true },
  )
  t.defer(() => deaf.terminate())
  const [port] = await once(deaf, 'message')
  let queued = 0
  for (let index = 0; index < 8; index++) {
    const socket = new Socket()
    t.defer(() => socket.destroy())
    socket.on('error', () => {})
    socket.connect({ port, host: '127.0.0.1' }, () => queued++)
  }
  await eventually(() => queued > 1 || undefined)
  return port
}
