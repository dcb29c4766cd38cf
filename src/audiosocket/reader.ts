import { fail } from '../errors.ts'
import { HEADER_BYTES, KIND, kindText, rateOf, UUID_BYTES } from './frame.ts'

/** Asterisk sends none; fifty are 1 s of frames, and a peer that sends only headers must not keep us busy for ever. */
const EMPTY_LIMIT = 50

/**
 * `bytes` from `start` to `end` is the payload, and `bytes.subarray(start - 3, end)` always the whole message. The bytes
 * are never reused, so a listener may keep views of them.
 */
export type MessageListener = (kind: number, bytes: Buffer, start: number, end: number) => void

export interface Reader {
  /** Takes the stream in any cut. A coded FRAME_ error means that the stream is lost: push nothing more. */
  push(chunk: Buffer): void
}

/**
 * The one reader of a socket. A message that lies whole in its chunk is handed on in place; one that is cut is gathered
 * in a fresh buffer of its own size, at most 64 kB, which is all the memory a reader ever holds. Errors:
 * FRAME_UNKNOWN_KIND, FRAME_MALFORMED, FRAME_OVERSIZED (all decided at the header) and FRAME_EMPTY.
 */
export function createReader(onMessage: MessageListener): Reader {
  const header = Buffer.alloc(HEADER_BYTES)
  let headerFilled = 0
  let gathered: Buffer | undefined
  let gatheredFilled = 0
  let empties = 0

  const deliver = (kind: number, bytes: Buffer, start: number, end: number) => {
    if (start < end) empties = 0
    else if (++empties > EMPTY_LIMIT) throw fail('FRAME_EMPTY', { count: empties })
    onMessage(kind, bytes, start, end)
  }

  /** Goes on with the message that an earlier chunk began; returns where the next one starts. */
  const resume = (chunk: Buffer): number => {
    let at = 0
    if (gathered === undefined) {
      at = Math.min(HEADER_BYTES - headerFilled, chunk.length)
      header.set(chunk.subarray(0, at), headerFilled)
      headerFilled += at
      checkKind(header[0]!)
      if (headerFilled < HEADER_BYTES) return at
      gathered = Buffer.allocUnsafeSlow(HEADER_BYTES + checkedLength(header, 0))
      gathered.set(header)
      gatheredFilled = HEADER_BYTES
      headerFilled = 0
    }
    const taken = Math.min(gathered.length - gatheredFilled, chunk.length - at)
    chunk.copy(gathered, gatheredFilled, at, at + taken)
    gatheredFilled += taken
    if (gatheredFilled === gathered.length) {
      const whole = gathered
      gathered = undefined
      deliver(whole[0]!, whole, HEADER_BYTES, whole.length)
    }
    return at + taken
  }

  return {
    push(chunk) {
      let at = headerFilled > 0 || gathered !== undefined ? resume(chunk) : 0
      while (at < chunk.length) {
        const left = chunk.length - at
        checkKind(chunk[at]!)
        if (left < HEADER_BYTES) {
          headerFilled = chunk.copy(header, 0, at)
          return
        }
        const start = at + HEADER_BYTES
        const end = start + checkedLength(chunk, at)
        if (end > chunk.length) {
          gathered = Buffer.allocUnsafeSlow(end - at)
          gatheredFilled = chunk.copy(gathered, 0, at)
          return
        }
        deliver(chunk[at]!, chunk, start, end)
        at = end
      }
    },
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
    if (length % 2 !== 0) throw malformed(kind, length)
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
