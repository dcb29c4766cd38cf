import { createServer, type Socket } from 'node:net'
import { audioFrame, KIND } from '../../src/audiosocket/frame.ts'
import { createReader } from '../../src/audiosocket/reader.ts'
import { createPhone, type Phone, type PhoneOptions } from '../../src/simulator/phone.ts'
import type { Sounds } from '../../src/simulator/vocabulary.ts'
import { noise as noiseOf } from '../../src/testing/short-prompts.ts'
import type { Rig } from './rig.ts'

export interface Message {
  kind: number
  payload: Buffer
  /** performance.now() of its read. */
  at: number
  /** Which read it came with. */
  read: number
}

/** The server's end of a phone's connection, driven by hand. */
export interface Peer {
  socket: Socket
  messages: Message[]
  /** Audio, whole messages, one each 20 ms by absolute deadline; resolves 20 ms after the last. */
  play(frames: readonly Buffer[]): Promise<void>
  /** The first message (after those returned before) of this kind. */
  next(kind: number): Promise<Message>
  gone: Promise<'fin' | 'rst'>
}

export async function serve(rig: Rig, onPeer: (peer: Peer) => unknown, port = 0): Promise<number> {
  const problems: unknown[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    Promise.resolve(onPeer(createPeer(socket, rig.signal))).catch((error) => problems.push(error))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  rig.defer(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
    if (problems.length > 0) throw problems[0]
  })
  return (server.address() as { port: number }).port
}

export function call(rig: Rig, options: PhoneOptions): Phone {
  const phone = createPhone(options)
  rig.defer(() => phone.close())
  return phone
}

function createPeer(socket: Socket, signal: AbortSignal): Peer {
  const messages: Message[] = []
  const waiting: (() => void)[] = []
  const gone = Promise.withResolvers<'fin' | 'rst'>()
  let taken = 0
  let read = 0
  const reader = createReader((kind, bytes, start, end) =>
    messages.push({ kind, payload: Buffer.from(bytes.subarray(start, end)), at: performance.now(), read }),
  )
  socket.on('data', (chunk) => {
    reader.push(chunk)
    read++
    for (const wake of waiting.splice(0)) wake()
  })
  socket.on('end', () => gone.resolve('fin'))
  socket.on('error', () => gone.resolve('rst'))
  return {
    socket,
    messages,
    gone: gone.promise,
    async next(kind) {
      for (;;) {
        while (taken < messages.length) {
          const message = messages[taken++]!
          if (message.kind === kind) return message
        }
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    },
    async play(frames) {
      const start = performance.now()
      for (const [index, frame] of frames.entries()) {
        if (socket.destroyed || signal.aborted) return
        socket.write(frame)
        const rest = start + (index + 1) * 20 - performance.now()
        if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest))
      }
    },
  }
}

/** Noise that is the same for the same seed, `ms` long, between `lead` and `trail` whole frames of digital silence. */
export function noise(seed: number, ms: number, { lead = 0, trail = 0 } = {}): Buffer {
  return Buffer.concat([Buffer.alloc(lead * 320), noiseOf(seed, ms), Buffer.alloc(trail * 320)])
}

/** Whole messages of PCM, the last one padded. */
export function frames(pcm: Uint8Array): Buffer[] {
  const count = Math.ceil(pcm.length / 320)
  const padded = Buffer.alloc(count * 320)
  padded.set(pcm)
  return Array.from({ length: count }, (_, index) =>
    audioFrame(padded.subarray(index * 320, (index + 1) * 320)),
  )
}

export function soundsOf(pack: Record<string, Buffer>): Sounds {
  return { ids: Object.keys(pack), text: (id) => `the words of ${id}`, pcm: (id) => pack[id]! }
}

export const isAudio = ({ kind }: Message) => kind === KIND.slin8
