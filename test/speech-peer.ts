import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { pino } from 'pino'
import { FRAME_SAMPLES, SAMPLE_RATE } from '../src/audio.ts'
import type { Logger } from '../src/log.ts'
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

/** A port of this machine on which nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return port
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
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, duplex) => {
    const socket = duplex as Socket
    // node:http leaves its sockets half open when the client has gone
    socket.once('end', () => socket.destroy())
    if (script.handshake) {
      socket.resume()
      script.handshake(socket, request)
      return
    }
    const proof = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof}\r\n\r\n`,
    )
    const session: VoskSession = {
      texts: [],
      sound: Buffer.alloc(0),
      pieces: 0,
      send: (message) => socket.write(serverFrame(1, Buffer.from(textOf(message)))),
      raw: (bytes) => socket.write(bytes),
      close: () => socket.end(serverFrame(8, Buffer.from([0x03, 0xe8]))),
      socket,
    }
    sessions.push(session)
    readClient(socket, (opcode, payload) => {
      if (opcode === 1) {
        const text = payload.toString()
        session.texts.push(text)
        if (text !== '{"eof" : 1}') return
        if (script.eof) return script.eof(session)
        session.send({ text: '' })
        session.close()
      } else if (opcode === 2) {
        session.pieces++
        session.sound = Buffer.concat([session.sound, payload])
        if (script.piece) script.piece(session)
        else session.send({ partial: '' })
      } else if (opcode === 10) session.texts.push(`pong ${payload}`)
    })
    script.opened?.(session)
  })
  const port = await listen(server)
  rig.defer(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { url: `ws://127.0.0.1:${port}`, sessions, sockets }
}

const textOf = (message: unknown) => (typeof message === 'string' ? message : JSON.stringify(message))

export function serverFrame(opcode: number, payload: Buffer, fin = true): Buffer {
  const head = payload.length < 126 ? Buffer.alloc(2) : Buffer.alloc(payload.length < 65_536 ? 4 : 10)
  head[0] = (fin ? 0x80 : 0) | opcode
  head[1] = payload.length < 126 ? payload.length : payload.length < 65_536 ? 126 : 127
  if (head.length === 4) head.writeUInt16BE(payload.length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}

function readClient(socket: Socket, onFrame: (opcode: number, payload: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    pending = Buffer.concat([pending, bytes])
    while (pending.length >= 6) {
      if ((pending[1]! & 0x80) === 0) throw new Error('a client must mask')
      const short = pending[1]! & 0x7f
      const start = short < 126 ? 2 : short === 126 ? 4 : 10
      const length = short < 126 ? short : short === 126 ? pending.readUInt16BE(2) : pending.readUInt32BE(6)
      if (pending.length < start + 4 + length) return
      const mask = pending.subarray(start, start + 4)
      const payload = Buffer.from(pending.subarray(start + 4, start + 4 + length))
      for (let i = 0; i < length; i++) payload[i]! ^= mask[i & 3]!
      const opcode = pending[0]! & 0x0f
      pending = pending.subarray(start + 4 + length)
      onFrame(opcode, payload)
    }
  })
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
