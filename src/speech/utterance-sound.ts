import { SAMPLE_RATE } from '../platform/audio.ts'

/** The sound of one answer: written frame by frame on the media path, read in pieces by a provider. */
interface UtteranceSound {
  /** Copies the samples, with an allocation every 200 ms. Ignored when it is full or ended. */
  push(samples: Int16Array): void
  end(): void
  /** For one reader; ends after `end`. */
  readonly audio: AsyncIterable<Uint8Array>
  /** Number of stored samples. */
  readonly samples: number
  /** There was more than is kept. */
  readonly isCut: boolean
}

/** 200 ms: a fifth of a second of delay at most, and five messages a second to a provider that streams. */
const PIECE_SAMPLES = SAMPLE_RATE / 5

export function createUtteranceSound(maxMs: number): UtteranceSound {
  const room = (SAMPLE_RATE * maxMs) / 1000
  const pieces: Int16Array[] = []
  let piece: Int16Array | undefined
  let filled = 0
  let taken = 0
  let isCut = false
  let ended = false
  let wake: (() => void) | undefined

  function flush(): void {
    if (piece && filled > 0) pieces.push(piece.subarray(0, filled))
    piece = undefined
    filled = 0
    wake?.()
  }

  async function* read(): AsyncGenerator<Uint8Array> {
    for (let next = 0; ; next++) {
      if (next === pieces.length) {
        if (ended) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        if (next === pieces.length) return
      }
      const { buffer, byteOffset, byteLength } = pieces[next]!
      // Node runs on little-endian machines only, so the array's own bytes are s16le
      yield new Uint8Array(buffer, byteOffset, byteLength)
    }
  }

  return {
    push(samples) {
      if (ended) return
      const length = Math.min(samples.length, room - taken)
      if (length < samples.length) isCut = true
      for (let at = 0; at < length; ) {
        piece ??= new Int16Array(PIECE_SAMPLES)
        const part = Math.min(length - at, PIECE_SAMPLES - filled)
        piece.set(part === samples.length ? samples : samples.subarray(at, at + part), filled)
        at += part
        filled += part
        taken += part
        if (filled === PIECE_SAMPLES) flush()
      }
    },
    end() {
      if (ended) return
      ended = true
      flush()
    },
    audio: { [Symbol.asyncIterator]: read },
    get samples() {
      return taken
    },
    get isCut() {
      return isCut
    },
  }
}

/** The complete sound of an utterance, when it has ended. */
export async function wholeOf(audio: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of audio) pieces.push(piece)
  return Buffer.concat(pieces)
}
