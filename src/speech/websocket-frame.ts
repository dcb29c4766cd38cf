import { randomBytes } from 'node:crypto'

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** A server's message may have so many bytes; a transcript of 10 kB with a line a word has 100 kB. */
const MAX_MESSAGE_BYTES = 1024 * 1024
const FIN = 0x80
const MASK = 0x80
const CONTROL = 0x08

/** One whole client frame, masked as RFC 6455 wants it. */
export function frameOf(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const start = 2 + extra + 4
  const frame = Buffer.allocUnsafe(start + length)
  frame[0] = FIN | opcode
  frame[1] = MASK | (extra === 0 ? length : extra === 2 ? 126 : 127)
  if (extra === 2) frame.writeUInt16BE(length, 2)
  else if (extra === 8) frame.writeBigUInt64BE(BigInt(length), 2)
  const mask = randomBytes(4)
  frame.set(mask, start - 4)
  for (let i = 0; i < length; i++) frame[start + i] = payload[i]! ^ mask[i & 3]!
  return frame
}

export interface MessageHandlers {
  text(text: string): void
  ping(payload: Buffer): void
  close(): void
  /** Nothing may be pushed afterwards. */
  malformed(reason: string): void
}

/** Puts a server's frames together to messages, however the stream was cut. Binary messages are skipped. */
export function createMessages(handlers: MessageHandlers): { push(bytes: Buffer): void } {
  let pending: Buffer = Buffer.alloc(0)
  let parts: Buffer[] = []
  let length = 0
  let kind: number = OPCODE.continuation
  let over = false

  function stop(act: () => void): void {
    over = true
    pending = Buffer.alloc(0)
    act()
  }

  const malformed = (reason: string) => stop(() => handlers.malformed(reason))

  function take(fin: boolean, opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.close) stop(handlers.close)
    else if (opcode === OPCODE.ping) handlers.ping(payload)
    else if ((opcode & CONTROL) === 0) gather(fin, opcode, payload)
  }

  function gather(fin: boolean, opcode: number, payload: Buffer): void {
    const goesOn = opcode === OPCODE.continuation
    if (goesOn === (kind === OPCODE.continuation)) malformed('WebSocket frames out of order')
    else if (length + payload.length > MAX_MESSAGE_BYTES) malformed('a WebSocket message too long')
    else {
      if (!goesOn) kind = opcode
      parts.push(payload)
      length += payload.length
      if (fin) deliver()
    }
  }

  function deliver(): void {
    const text = kind === OPCODE.text ? Buffer.concat(parts, length).toString() : undefined
    parts = []
    length = 0
    kind = OPCODE.continuation
    if (text !== undefined) handlers.text(text)
  }

  return {
    push(bytes) {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
      while (!over && pending.length >= 2) {
        const [first, second] = pending as unknown as [number, number]
        // reserved bits belong to extensions, which were not offered, and servers do not mask
        if ((first & 0x70) !== 0 || (second & MASK) !== 0) {
          malformed('not a WebSocket frame')
          return
        }
        const short = second & 0x7f
        const start = short < 126 ? 2 : short === 126 ? 4 : 10
        if (pending.length < start) return
        const size =
          short < 126 ? short : short === 126 ? pending.readUInt16BE(2) : Number(pending.readBigUInt64BE(2))
        if (size > MAX_MESSAGE_BYTES) {
          malformed('a WebSocket message too long')
          return
        }
        if (pending.length < start + size) return
        const payload = pending.subarray(start, start + size)
        pending = pending.subarray(start + size)
        take((first & FIN) !== 0, first & 0x0f, payload)
      }
    },
  }
}
