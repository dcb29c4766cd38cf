import { FRAME_BYTES, FRAME_MS, SAMPLE_RATE } from '../platform/audio.ts'
import { LAWS, type Law } from './codec.ts'
import type { FrameMaker, FrameSource } from './frames.ts'
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
  /** Frames dropped because the other leg did not take them, and slots filled with silence. */
  readonly dropped: number
  readonly filled: number
}

interface BridgeOptions {
  frame: FrameMaker
  /** The shared whole message of 20 ms of silence. */
  silence: Buffer
  /** Key tones that it finds are replaced by silence. */
  filter?: ToneFilter
  /** Called when sound begins: wakes the other leg's player or track. */
  wake?: () => void
}

/** Of an audio message: kind, and length in two bytes. */
const HEADER_BYTES = 3
/** At most 60 ms wait here. */
const CAPACITY = 3
/** Playback begins with two frames, so that a slightly late frame causes no gap. */
const CUSHION = 2
/** After this many empty slots the speaker's line counts as stopped, and the next sound as a new beginning. */
const UNDERRUN_SLOTS = 10

/**
 * A queue of at most three frames between two clocks: the speaker's packets and the listener's slots. A gap is filled with
 * silence; late frames then wait a little longer; beyond three the oldest is dropped, so that the delay never grows.
 */
export function createBridgeLine({ frame, silence, filter, wake }: BridgeOptions): BridgeLine {
  const ring: (Buffer | null)[] = new Array(CAPACITY).fill(null)
  let first = 0
  let count = 0
  let running = false
  let empty = 0
  let dropped = 0
  let filled = 0
  let law: Int16Array | undefined
  let muted = false
  let owedMs = 0
  const reframer = createReframer({
    take: (samples) => pass(frame(new Uint8Array(samples.buffer, samples.byteOffset, FRAME_BYTES))),
  })

  /** Queues a message without key tones. */
  function pass(message: Buffer): void {
    const removes = filter?.removes(message, HEADER_BYTES) ?? false
    if (removes && filter?.removesPrevious && count > 0) ring[(first + count - 1) % CAPACITY] = silence
    queue(removes || muted ? silence : message)
  }

  function queue(message: Buffer): void {
    if (count === CAPACITY) {
      first = (first + 1) % CAPACITY
      count--
      dropped++
    }
    ring[(first + count) % CAPACITY] = message
    count++
    if (running || count < CUSHION) return
    running = true
    empty = 0
    wake?.()
  }

  function next(): Buffer | null {
    if (!running) return null
    if (count === 0) {
      empty++
      if (empty > UNDERRUN_SLOTS) {
        running = false
        return null
      }
      filled++
      return silence
    }
    empty = 0
    const message = ring[first]!
    // an empty slot must not keep the reader's chunk alive
    ring[first] = null
    first = (first + 1) % CAPACITY
    count--
    return message
  }

  return {
    next,
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
      for (; owedMs >= FRAME_MS; owedMs -= FRAME_MS) queue(silence)
    },
    mute(now) {
      if (now && !muted) for (let i = 0; i < count; i++) ring[(first + i) % CAPACITY] = silence
      muted = now
    },
    companded(by) {
      law = LAWS[by]
    },
    filters: filter !== undefined,
    get dropped() {
      return dropped
    },
    get filled() {
      return filled
    },
  }
}
