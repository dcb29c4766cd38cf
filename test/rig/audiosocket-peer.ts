import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Connection, ConnectionListener, Gone } from '../../src/audiosocket/connection.ts'
import type { FrameSource, Pacer } from '../../src/audiosocket/pacer.ts'
import { createReader } from '../../src/audiosocket/reader.ts'
import { type AudioSocketServerOptions, createAudioSocketServer } from '../../src/audiosocket/server.ts'
import type { Role } from '../../src/platform/audio.ts'
import { type ErrorCode, PorteiroError } from '../../src/platform/errors.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { Rig } from './rig.ts'

/** For assert.throws: true for an error of this code. */
export function coded(code: ErrorCode) {
  return (error: unknown) => error instanceof PorteiroError && error.code === code
}

/** One thing that a connection told its listener. */
export type Told =
  | { audio: Buffer; kind: number }
  | { key: string }
  | { gone: Gone; code: ErrorCode | undefined }

/** A listener that keeps whole messages, keys and ends in the order they came. */
export function createEar() {
  const told: Told[] = []
  const { promise: gone, resolve } = Promise.withResolvers<Gone>()
  const listener: ConnectionListener = {
    audio: (bytes, start, end, kind) => told.push({ audio: bytes.subarray(start - 3, end), kind }),
    key: (key) => told.push({ key }),
    gone: (how, error) => {
      told.push({ gone: how, code: error?.code })
      resolve(how)
    },
  }
  return { told, gone, listener }
}

export const mute: FrameSource = { next: () => null }

/** A pacer whose slots come when the test says so. */
export function createHandPacer() {
  const tracks = new Set<() => void>()
  let touches = 0
  const pacer: Pacer = {
    add(source, write, failed = () => {}) {
      const slot = () => {
        try {
          const frame = source.next()
          if (frame !== null) write(frame)
        } catch (error) {
          tracks.delete(slot)
          failed(error)
        }
      }
      tracks.add(slot)
      return { remove: () => tracks.delete(slot), wake: () => {}, touch: () => touches++ }
    },
    lateness: () => ({ p50: 0, p99: 0, max: 0, count: 0 }),
    latenessWithin: (limits) => ({ within: limits.map(() => 0), count: 0, sum: 0 }),
    close: () => tracks.clear(),
  }
  return {
    pacer,
    tracks,
    touches: () => touches,
    slot: () => {
      for (const slot of tracks) slot()
    },
  }
}

/** A server on a free port of the loopback, closed when the test ends. */
export async function openServer(
  t: Rig,
  options: Partial<AudioSocketServerOptions> & { role?: Role; entrance?: string } = {},
) {
  const connections: Connection[] = []
  const server = createAudioSocketServer({
    log: silentLog(),
    pacer: createHandPacer().pacer,
    allow: ['127.0.0.0/8'],
    onConnection: (connection) => connections.push(connection),
    ...options,
  })
  t.defer(() => server.close())
  const { port } = await server.listen({
    host: '127.0.0.1',
    port: 0,
    role: options.role ?? 'visitor',
    entrance: options.entrance,
  })
  return { server, port, connections }
}

/** A bare TCP client that never throws; `chunks` are its reads, `messages` what they decode to. */
export async function openPeer(t: Rig, port: number) {
  const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true })
  t.defer(() => socket.destroy())
  const chunks: Buffer[] = []
  const messages: Buffer[] = []
  const reader = createReader((_, bytes, start, end) => messages.push(bytes.subarray(start - 3, end)))
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    reader.push(chunk)
  })
  socket.on('error', () => {})
  socket.once('close', () => resolve())
  await new Promise<void>((done) => {
    socket.once('connect', done)
    socket.once('close', done)
  })
  return { socket, chunks, messages, closed }
}

/** The reads of one connection of a real Asterisk, in order; see fixtures/captures/README.md. */
export function capture(name: string): Buffer[] {
  const file = new URL(`../fixtures/captures/${name}.jsonl`, import.meta.url)
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  return lines.flatMap((line) => {
    const [, content] = JSON.parse(line) as [number, string]
    return content === 'FIN' || content === 'RST' ? [] : [Buffer.from(content, 'base64')]
  })
}

/** Numbers below 2^32, the same ones for the same seed. */
export function createDice(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state
  }
}
