import type { ViolationCode } from './violation.ts'

interface DecoderEvents {
  audio(bytes: Buffer, start: number, end: number, kind: number): void
  hangup(): void
  violation(code: ViolationCode, facts: Record<string, unknown>): void
}

/** Kind and bytes of its frames of 20 ms. */
export interface FrameForm {
  kind: number
  bytes: number
}

interface Decoder {
  /** The data of one read of the socket. */
  push(chunk: Buffer): void
  /** Reads that ended inside a message. */
  partialReads(): number
  close(): void
}

const HEADER = 3
const HANGUP = 0x00
const AUDIO_FIRST = 0x10
const AUDIO_LAST = 0x18
/** A 20 ms frame at 8 kHz, and at 16 kHz. */
export const NARROW: FrameForm = { kind: AUDIO_FIRST, bytes: 320 }
export const WIDE: FrameForm = { kind: 0x12, bytes: 640 }
/** Asterisk 22.10 waits this long for a payload whose header it has read. */
const PAYLOAD_MS = 5
/** Tolerated lateness of our own event loop in ms. */
const NOISE_MS = 3
/** A header that is not complete within this time will not come: Asterisk would wait for it forever. */
const HEADER_MS = 1000

/**
 * Reads a server's stream as Asterisk does, and times it. Deliberately separate from src/audiosocket/reader.ts: one
 * mistake must not hide the other.
 */
export function createDecoder(on: DecoderEvents, forms: readonly FrameForm[] = [NARROW]): Decoder {
  let pending: Buffer | undefined
  let partialReads = 0
  let hungUp = false
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let immediate: NodeJS.Immediate | undefined

  const unwatch = () => {
    clearTimeout(timer)
    clearImmediate(immediate)
    timer = immediate = undefined
  }

  const watch = (limit: number, code: ViolationCode) => {
    unwatch()
    const due = performance.now() + limit
    timer = setTimeout(() => {
      const stalled = performance.now() - due > NOISE_MS
      // received data stays unread in the kernel until the loop polls once more
      immediate = setImmediate(() => {
        if (stalled) watch(limit, code)
        else on.violation(code, { bytes: pending?.length ?? 0 })
      })
    }, limit)
  }

  const header = (bytes: Buffer, offset: number): boolean => {
    const kind = bytes[offset]!
    const length = bytes.readUInt16BE(offset + 1)
    if (kind === HANGUP) {
      if (length > 0) on.violation('HANGUP_MALFORMED', { length })
      return true
    }
    if (kind < AUDIO_FIRST || kind > AUDIO_LAST) {
      on.violation('KIND_UNKNOWN', { kind, length })
      return false
    }
    if (length === 0) {
      on.violation('AUDIO_EMPTY', { kind })
      return false
    }
    return true
  }

  return {
    push(chunk) {
      if (closed) return
      if (hungUp) {
        on.violation('AFTER_HANGUP', { bytes: chunk.length })
        return
      }
      const bytes = pending === undefined ? chunk : Buffer.concat([pending, chunk])
      const before = pending?.length ?? 0
      let offset = 0
      while (offset + HEADER <= bytes.length) {
        // a header is checked once, as soon as it is complete
        const seen = offset === 0 && before >= HEADER
        if (!seen && !header(bytes, offset)) return
        const end = offset + HEADER + bytes.readUInt16BE(offset + 1)
        if (end > bytes.length) break
        if (bytes[offset] === HANGUP) {
          hungUp = true
          unwatch()
          pending = undefined
          if (end < bytes.length) on.violation('AFTER_HANGUP', { bytes: bytes.length - end })
          on.hangup()
          return
        }
        const kind = bytes[offset]!
        const length = end - offset - HEADER
        if (!forms.some((form) => form.kind === kind && form.bytes === length))
          on.violation('FRAME_SIZE', { kind, length })
        on.audio(bytes, offset + HEADER, end, kind)
        if (closed) return
        offset = end
      }
      if (offset === bytes.length) {
        pending = undefined
        if (before > 0) unwatch()
        return
      }
      partialReads++
      pending = bytes.subarray(offset)
      const headerKnown = pending.length >= HEADER
      const sameWait = offset === 0 && before > 0 && before >= HEADER === headerKnown
      if (!sameWait)
        watch(headerKnown ? PAYLOAD_MS : HEADER_MS, headerKnown ? 'PAYLOAD_LATE' : 'HEADER_STUCK')
    },
    partialReads: () => partialReads,
    close() {
      closed = true
      pending = undefined
      unwatch()
    },
  }
}
