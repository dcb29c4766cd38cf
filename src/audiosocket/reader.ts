import { fail } from '../platform/errors.ts'
import { HEADER_BYTES, KIND, kindText, rateOf, UUID_BYTES } from './frame.ts'

/** Asterisk sends none; fifty are 1 s of frames. A peer that sends only headers must not keep the process busy forever. */
const EMPTY_LIMIT = 50

/**
 * `bytes` from `start` to `end` is the payload, and `bytes.subarray(start - 3, end)` always the whole message. The bytes
 * are never reused, so a listener may keep views of them.
 */
type MessageListener = (kind: number, bytes: Buffer, start: number, end: number) => void

interface Reader {
  /** Takes the stream in chunks of any size. After a thrown FRAME_ error the stream is lost: push nothing more. */
  push(chunk: Buffer): void
}

/**
 * The one reader of a socket. A message that lies whole in its chunk is passed on in place; a split message is gathered
 * in a new buffer of its size, at most 64 kB, which is all the memory a reader ever holds. Errors:
 * FRAME_UNKNOWN_KIND, FRAME_MALFORMED, FRAME_OVERSIZED, CODEC_UNSUPPORTED (all decided at the header) and FRAME_EMPTY.
 */
export function createReader(onMessage: MessageListener): Reader {
  return new StreamReader(onMessage)
}

/** A class, because closures would each cost a cache miss on a busy node (ADR 27). */
class StreamReader implements Reader {
  readonly onMessage: MessageListener
  readonly header = Buffer.alloc(HEADER_BYTES)
  headerFilled = 0
  gathered: Buffer | undefined = undefined
  gatheredFilled = 0
  empties = 0

  constructor(onMessage: MessageListener) {
    this.onMessage = onMessage
  }

  push(chunk: Buffer): void {
    let at = this.headerFilled > 0 || this.gathered !== undefined ? this.resume(chunk) : 0
    while (at < chunk.length) {
      const left = chunk.length - at
      checkKind(chunk[at]!)
      if (left < HEADER_BYTES) {
        this.headerFilled = chunk.copy(this.header, 0, at)
        return
      }
      const start = at + HEADER_BYTES
      const end = start + checkedLength(chunk, at)
      if (end > chunk.length) {
        this.gathered = Buffer.allocUnsafeSlow(end - at)
        this.gatheredFilled = chunk.copy(this.gathered, 0, at)
        return
      }
      this.deliver(chunk[at]!, chunk, start, end)
      at = end
    }
  }

  deliver(kind: number, bytes: Buffer, start: number, end: number): void {
    if (start < end) this.empties = 0
    else if (++this.empties > EMPTY_LIMIT) throw fail('FRAME_EMPTY', { count: this.empties })
    this.onMessage(kind, bytes, start, end)
  }

  /** Continues the message of an earlier chunk; returns where the next message starts. */
  resume(chunk: Buffer): number {
    let at = 0
    if (this.gathered === undefined) {
      at = Math.min(HEADER_BYTES - this.headerFilled, chunk.length)
      this.header.set(chunk.subarray(0, at), this.headerFilled)
      this.headerFilled += at
      checkKind(this.header[0]!)
      if (this.headerFilled < HEADER_BYTES) return at
      this.gathered = Buffer.allocUnsafeSlow(HEADER_BYTES + checkedLength(this.header, 0))
      this.gathered.set(this.header)
      this.gatheredFilled = HEADER_BYTES
      this.headerFilled = 0
    }
    const whole = this.gathered
    const taken = Math.min(whole.length - this.gatheredFilled, chunk.length - at)
    chunk.copy(whole, this.gatheredFilled, at, at + taken)
    this.gatheredFilled += taken
    if (this.gatheredFilled === whole.length) {
      this.gathered = undefined
      this.deliver(whole[0]!, whole, HEADER_BYTES, whole.length)
    }
    return at + taken
  }
}

function checkKind(kind: number): void {
  if (rateOf(kind) !== undefined || kind === KIND.dtmf || kind === KIND.uuid || kind === KIND.hangup) return
  if (kind !== KIND.error) throw fail('FRAME_UNKNOWN_KIND', { kind: kindText(kind) })
}

/** The length a header announces, if a message of its kind may have it. */
function checkedLength(bytes: Buffer, at: number): number {
  const kind = bytes[at]!
  const length = (bytes[at + 1]! << 8) | bytes[at + 2]!
  const rate = rateOf(kind)
  if (rate !== undefined) {
    if (length > rate * 2) throw fail('FRAME_OVERSIZED', { kind: kindText(kind), length })
    if (length % 2 !== 0) {
      // Opus and other codecs have packets of any size
      throw kind === KIND.slin8 ? fail('CODEC_UNSUPPORTED') : malformed(kind, length)
    }
  } else if (kind === KIND.uuid ? length !== UUID_BYTES : kind === KIND.dtmf && length !== 1) {
    throw malformed(kind, length)
  } else if (kind === KIND.hangup && length !== 0) {
    throw malformed(kind, length)
  }
  return length
}

function malformed(kind: number, length: number) {
  return fail('FRAME_MALFORMED', { kind: kindText(kind), length })
}
