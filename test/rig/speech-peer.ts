import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { pino } from 'pino'
import { WebSocketServer } from 'ws'
import { FRAME_SAMPLES, SAMPLE_RATE } from '../../src/platform/audio.ts'
import type { Logger } from '../../src/platform/log.ts'
import type { Rig } from './rig.ts'

export interface Asked {
  path: string
  headers: IncomingMessage['headers']
  body: Buffer
}

export interface HttpPeer {
  url: string
  asked: Asked[]
  /** Resolves when a client let go of a request before it was answered. */
  abandoned: Promise<void>
}

/** A provider on a real socket that answers as it is told; the request has been read whole. */
export async function startHttpPeer(
  rig: Rig,
  answer: (asked: Asked, response: ServerResponse) => void,
): Promise<HttpPeer> {
  const asked: Asked[] = []
  const { promise: abandoned, resolve } = Promise.withResolvers<void>()
  const server = createServer(async (request, response) => {
    response.once('close', () => {
      if (!response.writableFinished) resolve()
    })
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const { url = '', headers } = request
    asked.push({ path: url, headers, body: Buffer.concat(parts) })
    answer(asked.at(-1)!, response)
  })
  const port = await listen(server)
  rig.defer(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${port}`, asked, abandoned }
}

export const json = (body: unknown) => (_asked: Asked, response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function listen(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

export interface VoskSession {
  texts: string[]
  /** All sound of this session, one after the other. */
  sound: Buffer
  pieces: number
  send(message: unknown): void
  /** Several frames, ping and fragments included, exactly as given. */
  raw(bytes: Buffer): void
  close(): void
  socket: Socket
}

export interface VoskScript {
  opened?(session: VoskSession): void
  piece?(session: VoskSession): void
  eof?(session: VoskSession): void
  /** In place of the handshake. */
  handshake?(socket: Socket, request: IncomingMessage): void
}

/** A Vosk server that keeps to the protocol of asr_server.py: one message a piece, the last for the end, then it closes. */
export async function startVoskPeer(rig: Rig, script: VoskScript = {}) {
  const sessions: VoskSession[] = []
  const sockets = new Set<Socket>()
  const server = createServer((_request, response) => response.writeHead(404).end())
  const upgrades = new WebSocketServer({ noServer: true })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, duplex, head) => {
    const socket = duplex as Socket
    // node:http leaves its sockets half open when the client has gone
    socket.once('end', () => socket.destroy())
    if (script.handshake) {
      socket.resume()
      script.handshake(socket, request)
      return
    }
    upgrades.handleUpgrade(request, socket, head, (client) => {
      const session: VoskSession = {
        texts: [],
        sound: Buffer.alloc(0),
        pieces: 0,
        send: (message) => client.send(textOf(message)),
        raw: (bytes) => socket.write(bytes),
        close: () => client.close(),
        socket,
      }
      sessions.push(session)
      client.on('error', () => {})
      client.on('pong', (payload) => session.texts.push(`pong ${payload}`))
      client.on('message', (data: Buffer, isBinary) => {
        if (isBinary) {
          session.pieces++
          session.sound = Buffer.concat([session.sound, data])
          if (script.piece) script.piece(session)
          else session.send({ partial: '' })
          return
        }
        session.texts.push(data.toString())
        if (data.toString() !== '{"eof" : 1}') return
        if (script.eof) return script.eof(session)
        session.send({ text: '' })
        session.close()
      })
      script.opened?.(session)
    })
  })
  const port = await listen(server)
  rig.defer(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { url: `ws://127.0.0.1:${port}`, sessions, sockets }
}

const textOf = (message: unknown) => (typeof message === 'string' ? message : JSON.stringify(message))

/** One frame of at most 125 bytes as a server sends it. */
export function serverFrame(opcode: number, payload: Buffer, fin = true): Buffer {
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode, payload.length]), payload])
}

/** A sine of so many Hz, s16le, at half of full scale. */
export function sine(hertz: number, ms: number, rate = SAMPLE_RATE): Buffer {
  const pcm = Buffer.alloc(Math.round((rate * ms) / 1000) * 2)
  for (let i = 0; i < pcm.length / 2; i++) {
    pcm.writeInt16LE(Math.round(16_384 * Math.sin((2 * Math.PI * hertz * i) / rate)), i * 2)
  }
  return pcm
}

/** Gives sound as a leg's ear does: frame by frame in one array that is used again and again. */
export function pushFrames(push: (samples: Int16Array) => void, pcm: Buffer): void {
  const frame = new Int16Array(FRAME_SAMPLES)
  for (let at = 0; at < pcm.length; at += FRAME_SAMPLES * 2) {
    frame.fill(0)
    new Uint8Array(frame.buffer).set(pcm.subarray(at, at + FRAME_SAMPLES * 2))
    push(frame)
  }
  frame.fill(0x7fff)
}

/** Samples of one frequency in s16le, as a share of all power. */
export function shareOf(hertz: number, pcm: Buffer, rate = SAMPLE_RATE): number {
  const n = pcm.length >> 1
  let real = 0
  let imaginary = 0
  let power = 0
  for (let i = 0; i < n; i++) {
    const sample = pcm.readInt16LE(i * 2)
    real += sample * Math.cos((2 * Math.PI * hertz * i) / rate)
    imaginary += sample * Math.sin((2 * Math.PI * hertz * i) / rate)
    power += sample * sample
  }
  return (2 * (real * real + imaginary * imaginary)) / (n * power)
}

/** dBFS RMS of s16le. */
export function rmsOf(pcm: Buffer): number {
  let power = 0
  for (let i = 0; i < pcm.length; i += 2) power += pcm.readInt16LE(i) ** 2
  return 10 * Math.log10(power / (pcm.length / 2) / 32768 ** 2)
}

/** A log whose every line is kept. */
export function keepingLog(): { log: Logger; lines: string[] } {
  const lines: string[] = []
  return { log: pino({ level: 'trace' }, { write: (line: string) => lines.push(line) }), lines }
}
