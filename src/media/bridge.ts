import { FRAME_BYTES, FRAME_MS, SAMPLE_RATE } from '../platform/audio.ts'
import { LAWS, type Law } from './codec.ts'
import type { FrameMaker, FrameSource } from './frames.ts'
import { createJitterBuffer, HEADER_BYTES, type TalkCounts } from './jitter-buffer.ts'
import { createReframer } from './reframe.ts'
import type { ToneFilter } from './tone-filter.ts'

/** One direction of a bridge: the sound of one leg as a source of whole messages for the other. */
export interface BridgeLine extends FrameSource {
  /**
   * Payload of an audio message. A payload of 320 bytes at 8 kHz is queued in place, with the 3 bytes of header that
   * the reader guarantees before `start`; any other is copied into new frames.
   */
  audio(bytes: Buffer, start: number, end: number, rate: number): void
  /** Payload that the other leg must not hear: replaced by silence of the same length. */
  hush(start: number, end: number, rate: number): void
  /** While true the other leg hears silence, from this very moment on. */
  mute(muted: boolean): void
  /** From now on payloads labelled 8 kHz slin are raw G.711. */
  companded(law: Law): void
  /** Removes key tones itself. */
  readonly filters: boolean
  report(): BridgeReport
}

export interface BridgeReport {
  /** Frames lost, because they came more than 120 ms late. */
  dropped: number
  /** Slots between two frames in which nothing was there, and the sound before was repeated or faded. */
  concealed: number
  /** Mean time that a frame waited for its slot. */
  delayMs: number
}

interface BridgeOptions {
  frame: FrameMaker
  /** The shared whole message of 20 ms of silence. */
  silence: Buffer
  /** Key tones that it finds are replaced by silence. */
  filter?: ToneFilter
  /** Of all talks. */
  counts: TalkCounts
  /** Called when sound begins: wakes the other leg's player or track. */
  wake?: () => void
}

/** A jitter buffer behind what cuts the sound into frames and takes from it what must not be heard. */
export function createBridgeLine({
  frame,
  silence,
  filter,
  counts,
  wake = () => {},
}: BridgeOptions): BridgeLine {
  // what is missing is filled with the sound before: twice as long, the beginning of a tone may be a key. Its windows over the seam
  // say nothing, for there the sound turns round
  const mayFill = (message: Buffer) =>
    filter === undefined || !(filter.removes(message, HEADER_BYTES) || filter.hints)
  const buffer = createJitterBuffer({ frame, silence, counts, mayFill, wake })
  let law: Int16Array | undefined
  let muted = false
  let owedMs = 0
  const reframer = createReframer({
    take: (samples) => pass(frame(new Uint8Array(samples.buffer, samples.byteOffset, FRAME_BYTES))),
  })

  /** Queues a message without key tones. */
  function pass(message: Buffer): void {
    const removes = filter?.removes(message, HEADER_BYTES) ?? false
    if (removes && filter?.removesPrevious) buffer.silenceLast()
    buffer.put(removes || muted ? silence : message)
  }

  return {
    next: () => buffer.next(),
    audio(bytes, start, end, rate) {
      if (rate === SAMPLE_RATE && law !== undefined) reframer.pushCodes(bytes, start, end, law)
      else if (rate === SAMPLE_RATE && end - start === FRAME_BYTES) {
        // a short last packet of a file came before: complete its frame
        if (reframer.partial) reframer.flush()
        pass(bytes.subarray(start - HEADER_BYTES, end))
      } else reframer.push(bytes, start, end, rate)
    },
    hush(start, end, rate) {
      if (reframer.partial) reframer.flush()
      owedMs += ((end - start) * 1000) / (rate * (rate === SAMPLE_RATE && law !== undefined ? 1 : 2))
      for (; owedMs >= FRAME_MS; owedMs -= FRAME_MS) buffer.put(silence)
    },
    mute(now) {
      if (now && !muted) buffer.silenceAll()
      muted = now
    },
    companded(by) {
      law = LAWS[by]
    },
    filters: filter !== undefined,
    report: () => ({ dropped: buffer.dropped, concealed: buffer.concealed, delayMs: buffer.delayMs() }),
  }
}
